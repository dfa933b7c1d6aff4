"""The extender protocol on the wire: JSON whose keys are Go's field names (`k8s.io/kube-scheduler/extender/v1` has no json tags).

Two traps decide the encoding. `{}` from filter is a full veto, because both lists are then nil, so `NodeNames` is always there; and one
score with a decimal point drops the whole prioritize reply, so scores are integers by type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from extender.deciding.offered import ExtenderArgs, OfferedNames


class WireError(ValueError):
    """A body that is no ExtenderArgs, or names no nodes: there is nothing to answer with."""


_NULL: Final = msgspec.Raw(b"null")


class _Nodes(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | None = None


class _Args(msgspec.Struct, frozen=True, rename="pascal"):
    pod: msgspec.Raw = _NULL
    nodes: _Nodes | None = None
    node_names: msgspec.Raw = _NULL


class _Meta(msgspec.Struct, frozen=True):
    name: str


class _NamedObject(msgspec.Struct, frozen=True):
    metadata: _Meta


class _Result(msgspec.Struct, frozen=True, rename="pascal"):
    nodes: dict[str, Any] | None
    node_names: list[str] | msgspec.Raw
    failed_nodes: dict[str, str]
    failed_and_unresolvable_nodes: dict[str, str]
    error: str = ""


class _HostPriority(msgspec.Struct, frozen=True, rename="pascal"):
    host: str
    score: int


_ARGS: Final = msgspec.json.Decoder(_Args)
_NAMED: Final = msgspec.json.Decoder(_NamedObject)
_ENCODER: Final = msgspec.json.Encoder()


def decode_args(body: bytes) -> ExtenderArgs:
    """The arguments of a filter or prioritize call.

    Raises:
        WireError: no such JSON, or neither `NodeNames` nor `Nodes`. To be answered with a failure, which `ignorable` passes over:
            any 200 would name nodes that were never offered, or none.
    """
    try:
        args = _ARGS.decode(body)
        names = bytes(args.node_names)
        if names != b"null":
            return ExtenderArgs(args.pod, OfferedNames(names))
        if args.nodes is not None:
            objects = {_NAMED.decode(raw).metadata.name: raw for raw in args.nodes.items or ()}
            return ExtenderArgs(args.pod, list(objects), objects)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"body is no ExtenderArgs: {error}; send the JSON of kube-scheduler's extender v1") from error
    raise WireError("NodeNames and Nodes are both absent; one of them must list the nodes offered")


def encode_filter_result(args: ExtenderArgs, names: Sequence[str]) -> bytes:
    """The reply of filter with these names, out of those that `args` offers."""
    nodes = None
    if args.objects is not None:
        nodes = {"metadata": {}, "items": [args.objects[name] for name in names]}
    return _ENCODER.encode(_Result(nodes, names if isinstance(names, list) else _kept(names), {}, {}))


def _kept(names: Sequence[str]) -> list[str] | msgspec.Raw:
    return msgspec.Raw(names.encoded) if isinstance(names, OfferedNames) else list(names)


def encode_host_priorities(scores: Iterable[tuple[str, int]]) -> bytes:
    """The reply of prioritize."""
    return _ENCODER.encode([_HostPriority(host, score) for host, score in scores])
