"""Stores behind the reflectors: small dictionaries that a decision reads without copying."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from stowplan.kube.codec import ObjectKey
from stowplan.model.workload import WorkloadKey
from webhook.node_room import NodeShape, largest

V = TypeVar("V")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Entry(Generic[V]):
    """A projected object with its place."""

    namespace: str
    name: str
    value: V


class Named(Generic[V]):
    """Values of cluster-scoped objects by name."""

    def __init__(self) -> None:
        self.values: dict[str, V] = {}

    def replace(self, items: Sequence[Entry[V]]) -> None:
        """The collection is exactly this."""
        self.values = {item.name: item.value for item in items}

    def upsert(self, item: Entry[V]) -> None:
        """The object is new or has changed."""
        self.values[item.name] = item.value

    def delete(self, key: ObjectKey) -> None:
        """The object is gone."""
        self.values.pop(key.name, None)


class PerNamespace(Generic[V, W]):
    """What all objects of a namespace come to, ordered by name; a namespace without any is left out."""

    def __init__(self, combine: Callable[[tuple[V, ...]], W]) -> None:
        self.values: dict[str, W] = {}
        self._combine = combine
        self._objects: dict[str, dict[str, V]] = {}

    def replace(self, items: Sequence[Entry[V]]) -> None:
        """The collection is exactly this."""
        self._objects = {}
        for item in items:
            self._objects.setdefault(item.namespace, {})[item.name] = item.value
        self.values = {}
        for namespace in self._objects:
            self._refresh(namespace)

    def upsert(self, item: Entry[V]) -> None:
        """The object is new or has changed."""
        self._objects.setdefault(item.namespace, {})[item.name] = item.value
        self._refresh(item.namespace)

    def delete(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._objects.get(key.namespace, {}).pop(key.name, None)
        self._refresh(key.namespace)

    def _refresh(self, namespace: str) -> None:
        objects = self._objects.get(namespace)
        if objects:
            self.values[namespace] = self._combine(tuple(value for _, value in sorted(objects.items(), key=_by_name)))
        else:
            self._objects.pop(namespace, None)
            self.values.pop(namespace, None)


def _by_name(item: tuple[str, object]) -> str:
    return item[0]


@dataclass(frozen=True, slots=True)
class Targeted(Generic[V]):
    """A projected object that is about a workload: an autoscaler, a profile."""

    namespace: str
    name: str
    target: WorkloadKey
    value: V


class PerTarget(Generic[V, W]):
    """What all objects about a workload come to, by workload; their target may change."""

    def __init__(self, combine: Callable[[tuple[V, ...]], W]) -> None:
        self.values: dict[WorkloadKey, W] = {}
        self._combine = combine
        self._objects: dict[WorkloadKey, dict[str, V]] = {}
        self._targets: dict[tuple[str, str], WorkloadKey] = {}

    def replace(self, items: Sequence[Targeted[V]]) -> None:
        """The collection is exactly this."""
        self.values, self._objects, self._targets = {}, {}, {}
        for item in items:
            self.upsert(item)

    def upsert(self, item: Targeted[V]) -> None:
        """The object is new or has changed."""
        place = (item.namespace, item.name)
        if self._targets.get(place, item.target) != item.target:
            self._forget(place)
        self._targets[place] = item.target
        self._objects.setdefault(item.target, {})[item.name] = item.value
        self._refresh(item.target)

    def delete(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._forget((key.namespace, key.name))

    def _forget(self, place: tuple[str, str]) -> None:
        target = self._targets.pop(place, None)
        if target is not None:
            self._objects[target].pop(place[1])
            self._refresh(target)

    def _refresh(self, target: WorkloadKey) -> None:
        objects = self._objects[target]
        if objects:
            self.values[target] = self._combine(tuple(value for _, value in sorted(objects.items(), key=_by_name)))
        else:
            del self._objects[target], self.values[target]


class Replicas:
    """Replica counts of one kind of owner, in a dictionary that the kinds share."""

    def __init__(self, kind: str, counts: dict[tuple[str, str, str], int]) -> None:
        self._kind = kind
        self._counts = counts

    def replace(self, items: Sequence[Entry[int]]) -> None:
        """The collection is exactly this."""
        for key in [key for key in self._counts if key[1] == self._kind]:
            del self._counts[key]
        for item in items:
            self.upsert(item)

    def upsert(self, item: Entry[int]) -> None:
        """The owner is new or has changed."""
        self._counts[item.namespace, self._kind, item.name] = item.value

    def delete(self, key: ObjectKey) -> None:
        """The owner is gone."""
        self._counts.pop((key.namespace, self._kind, key.name), None)


class NodeFacts(NamedTuple):
    """What is kept of a node."""

    zone: str
    """Empty where it has none."""
    shape: NodeShape


class Nodes(Named[NodeFacts]):
    """How many zones have nodes, and the shapes of the largest; a heartbeat changes nothing here."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: tuple[NodeShape, ...] = ()
        self._zones = Counter[str]()
        self._shapes = Counter[NodeShape]()

    @property
    def zones(self) -> int:
        """Zones that have nodes."""
        return len(self._zones)

    def replace(self, items: Sequence[Entry[NodeFacts]]) -> None:
        """The nodes are exactly these."""
        super().replace(items)
        facts = self.values.values()
        self._zones = Counter(node.zone for node in facts if node.zone)
        self._shapes = Counter(node.shape for node in facts)
        self.shapes = largest(self._shapes)

    def upsert(self, item: Entry[NodeFacts]) -> None:
        """The node is new or has changed."""
        before = self.values.get(item.name)
        if before != item.value:
            super().upsert(item)
            self._count(item.value, before)

    def delete(self, key: ObjectKey) -> None:
        """The node is gone."""
        before = self.values.get(key.name)
        super().delete(key)
        self._count(None, before)

    def _count(self, new: NodeFacts | None, old: NodeFacts | None) -> None:
        known = len(self._shapes)
        for node, step in ((new, 1), (old, -1)):
            if node is None:
                continue
            self._shapes[node.shape] += step
            if node.zone:
                self._zones[node.zone] += step
        added = len(self._shapes) != known
        gone = old is not None and not self._shapes[old.shape]
        self._zones, self._shapes = +self._zones, +self._shapes
        if added or gone:
            self.shapes = largest(self._shapes)


class LeaseRecord(NamedTuple):
    """The part of a Lease that tells a renewal."""

    holder: str
    renew_time: str
    duration_seconds: float


class RenewedLease:
    """Whether a Lease is being renewed, judged by changes that we saw ourselves.

    As in client-go's leader election no clock but ours is trusted: a renewal counts from when it was seen. Unlike there, the
    record found at our own start counts for nothing: it may be the last word of a process long dead.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._record: LeaseRecord | None = None
        self._fresh_until = float("-inf")

    @property
    def alive(self) -> bool:
        """Whether a renewal was seen within the Lease's duration."""
        return self._clock() < self._fresh_until

    def replace(self, items: Sequence[Entry[LeaseRecord]]) -> None:
        """The Lease is this, or absent."""
        if not items:
            self._forget()
        for item in items:
            self.upsert(item)

    def upsert(self, item: Entry[LeaseRecord]) -> None:
        """The Lease is new or has changed."""
        before, self._record = self._record, item.value
        if not item.value.holder:  # released on a clean shutdown
            self._fresh_until = float("-inf")
        elif before is not None and before != item.value:
            self._fresh_until = self._clock() + item.value.duration_seconds

    def delete(self, _key: ObjectKey) -> None:
        """The Lease is gone."""
        self._forget()

    def _forget(self) -> None:
        self._record = None
        self._fresh_until = float("-inf")
