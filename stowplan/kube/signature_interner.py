"""Shared signatures: equal pods have one, and pods made from one template are known to be equal before their spec is decoded.

Decoding and sorting a spec takes most of a projection, and the same spec comes with every event of every replica (measured, the pod of
scheduler_perf: 33 us a projection, 8 us where its template is known).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, TypeVar

from stowplan.kube.shapes import PodMeta
from stowplan.model.pod import Owner, PodSignature

K = TypeVar("K")
V = TypeVar("V")

_LIMIT: Final = 50_000
_TOKEN_VOLUME: Final = b'"kube-api-access-'
"""Begins the name of the volume that admission adds for the service account's token; five random characters follow."""
_TOKEN_VOLUME_LENGTH: Final = len(_TOKEN_VOLUME) + 5
_NODE_NAME: Final = b'"nodeName":"'

Key = tuple[object, ...]


class SignatureInterner:
    """Lets equal signatures share one object. Bounded: beyond `limit` the oldest is forgotten, which costs memory or time only."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._signatures: dict[PodSignature, PodSignature] = {}
        self._owners: dict[Owner, Owner] = {}
        self._templates: dict[Key, PodSignature] = {}

    def __len__(self) -> int:
        return len(self._signatures)

    def signature(self, template: Key, make: Callable[[], PodSignature]) -> PodSignature:
        """The one object that stands for all equal signatures.

        Args:
            template: of `template_of`.
            make: the signature of that template, called where it is not known.
        """
        known = self._templates.get(template)
        if known is None:
            made = make()
            known = _share(self._signatures, made, made, self._limit)
            _share(self._templates, template, known, self._limit)
        return known

    def owner(self, owner: Owner) -> Owner:
        """The one object that stands for all equal owners."""
        return _share(self._owners, owner, owner, self._limit)


def _share(known: dict[K, V], key: K, value: V, limit: int) -> V:
    shared = known.setdefault(key, value)
    if len(known) > limit:
        known.pop(next(iter(known)))
    return shared


def template_of(meta: PodMeta, spec: bytes, owner: Owner | None) -> Key:
    """A key that only pods of equal signature share: all that a signature is made of, less what differs between replicas.

    That is the node, and the name of the token's volume. A pod of a DaemonSet is another one once it has a node. The spec's own bytes
    decide, so another order of keys only costs a decoding.
    """
    at = spec.find(_NODE_NAME)
    if at >= 0:
        spec = spec[:at] + spec[spec.find(b'"', at + len(_NODE_NAME)) :]
    volume = spec.find(_TOKEN_VOLUME)
    if volume >= 0:
        spec = spec.replace(spec[volume : volume + _TOKEN_VOLUME_LENGTH], b"")
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    return (
        meta.get("namespace"),
        owner and (owner.kind, owner.name),
        tuple(labels.items()),
        tuple(notes.items()),
        at >= 0,
        blake2b(spec, digest_size=16).digest(),
    )
