"""The planner's mirror of the cache, and what of the last plan is still to come."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, Final

from extender.cluster.cache import Cache
from extender.cluster.owners import Template
from extender.cluster.pod_columns import PodColumns, PodObserver
from extender.cluster.snapshot import Snapshot
from extender.plan import Plan
from stowplan.model.pod import Owner, Pod, PodSignature

METHODS: Final = frozenset(
    {
        "replace_nodes",
        "keep_nodes",
        "upsert_node",
        "delete_node",
        "replace_pods",
        "keep_pods",
        "upsert_pod",
        "delete_pod",
        "replace_owners",
        "upsert_owner",
        "delete_owner",
        "give_up_owner",
        "replace_templates",
        "upsert_template",
        "replace_namespaces",
        "upsert_namespace",
        "delete_namespace",
        "observe",
        "advance_to",
    }
)
_MOST_SIGNATURES: Final = 100_000


class UnknownEventError(ValueError):
    """An event that is no method of the cache."""


class Mirror:
    """A second cache that follows the first.

    Args:
        observer: told of pods on nodes.
    """

    def __init__(self, observer: PodObserver | None = None) -> None:
        self._cache = Cache(observer=observer)
        self._signatures: dict[PodSignature, PodSignature] = {}
        self._owners: dict[Owner, Owner] = {}

    def apply(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Carry out one event.

        Raises:
            UnknownEventError: the method is none of `METHODS`.
        """
        if method not in METHODS:
            raise UnknownEventError(f"event {method!r} is unknown; send one of {', '.join(sorted(METHODS))}")
        match method:
            case "upsert_pod":
                self._intern(arguments[0])
            case "replace_pods":
                for pod in arguments[0]:
                    self._intern(pod)
            case "upsert_template":
                arguments = (self._interned(arguments[0]),)
            case "replace_templates":
                arguments = ([self._interned(template) for template in arguments[0]],)
        getattr(self._cache, method)(*arguments)

    @property
    def generation(self) -> int:
        """Of the cache here; an event that does not move it changes nothing that a plan reads."""
        return self._cache.generation

    @property
    def asks_for_slots(self) -> bool:
        """Whether a pod waits, or is expected."""
        return self._cache.asks_for_slots()

    @property
    def holds_pods(self) -> bool:
        """Whether a pod waits behind our scheduling gate."""
        return any(pod.held for pod in self._cache.waiting())

    def pods(self) -> PodColumns:
        """All pods known here."""
        return self._cache.pods()

    def snapshot(self) -> Snapshot:
        """The cluster as far as it is known here."""
        return self._cache.snapshot()

    def _intern(self, pod: Pod) -> None:
        """Pickling makes copies per frame of what pods share."""
        pod.signature = self._shared(pod.signature)
        pod.namespace = pod.signature.namespace
        pod.node_name = sys.intern(pod.node_name)
        if pod.owner is not None:
            if len(self._owners) > _MOST_SIGNATURES:
                self._owners.clear()
            pod.owner = self._owners.setdefault(pod.owner, pod.owner)

    def _interned(self, template: Template) -> Template:
        return dataclasses.replace(template, signature=self._shared(template.signature))

    def _shared(self, signature: PodSignature) -> PodSignature:
        """The one signature that is kept of all equal ones."""
        if len(self._signatures) > _MOST_SIGNATURES:
            self._signatures.clear()
        return self._signatures.setdefault(signature, signature)


def still_to_come(plan: Plan, then: Snapshot, now: Snapshot) -> Plan:
    """The plan without the slots that pods have taken since: what a new plan should stay close to."""
    slots: dict[PodSignature, dict[str, int]] = {}
    for signature, nodes in plan.slots.items():
        left = {}
        for name, count in nodes.items():
            arrived = _standing(now, signature, name) - _standing(then, signature, name)
            if name in now.nodes and count > max(0, arrived):
                left[name] = count - max(0, arrived)
        if left:
            slots[signature] = left
    return dataclasses.replace(plan, slots=slots)


def _standing(snapshot: Snapshot, signature: PodSignature, name: str) -> int:
    info = snapshot.nodes.get(name)
    return info.residents.get(signature, 0) if info is not None else 0
