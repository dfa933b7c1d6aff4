"""Where watch events go: into the cache, from there to reservations and slots, and on to the planner's mirror."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from extender.cluster.cache import Cache
from extender.cluster.uid_index import Uids
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.gating.held import HeldPods
from stowplan.kube.codec import ObjectKey
from stowplan.kube.projection import Namespace, PodOwner
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.node import Node
from stowplan.model.pod import Pod
from stowplan.model.workload_class import WorkloadClass

Forward = Callable[..., object]
"""Takes the name of a cache method and its arguments; must not block."""


class NodeFeed:
    """Handler of the reflector of nodes."""

    def __init__(self, cache: Cache, forward: Forward) -> None:
        self._cache = cache
        self._forward = forward

    def replace(self, items: Sequence[Node]) -> None:
        """The nodes are exactly these."""
        before = self._cache.generation
        self._cache.replace_nodes(items)
        if self._cache.generation != before:
            self._forward("replace_nodes", list(items))

    def upsert(self, item: Node) -> None:
        """The node is new or has changed; a heartbeat goes no further."""
        before = self._cache.generation
        self._cache.upsert_node(item)
        if self._cache.generation != before:
            self._forward("upsert_node", item)

    def delete(self, key: ObjectKey) -> None:
        """The node is gone."""
        self._cache.delete_node(key.name)
        self._forward("delete_node", key.name)


class NamespaceFeed:
    """Handler of the reflector of namespaces."""

    def __init__(self, cache: Cache, forward: Forward) -> None:
        self._cache = cache
        self._forward = forward

    def replace(self, items: Sequence[Namespace]) -> None:
        """The namespaces are exactly these."""
        labels = {item.name: item.labels for item in items}
        self._cache.replace_namespaces(labels)
        self._forward("replace_namespaces", labels)

    def upsert(self, item: Namespace) -> None:
        """The namespace is new or has changed."""
        self._cache.upsert_namespace(item.name, item.labels)
        self._forward("upsert_namespace", item.name, item.labels)

    def delete(self, key: ObjectKey) -> None:
        """The namespace is gone."""
        self._cache.delete_namespace(key.name)
        self._forward("delete_namespace", key.name)


class OwnerFeed:
    """Handler of the reflector of one kind of pod owners. Most of their events are about their status and go no further."""

    def __init__(self, kind: str, cache: Cache, forward: Forward) -> None:
        self._kind = kind
        self._cache = cache
        self._forward = forward

    def replace(self, items: Sequence[PodOwner]) -> None:
        """The owners of this kind that want pods are exactly these."""
        if self._cache.replace_owners(items, self._kind):
            self._forward("replace_owners", list(items), self._kind)

    def upsert(self, item: PodOwner) -> None:
        """The owner is new or has changed."""
        if self._cache.upsert_owner(item):
            self._forward("upsert_owner", item)

    def delete(self, key: ObjectKey) -> None:
        """The owner is gone, or wants no pod any more."""
        owner_key = f"{self._kind}/{key.name}"
        if self._cache.delete_owner(key.namespace, owner_key):
            self._forward("delete_owner", key.namespace, owner_key)


def give_up_overdue(cache: Cache, forward: Forward) -> None:
    """Expect no more pods of owners that have created none for a while; to be called from time to time."""
    for namespace, owner_key in cache.overdue_owners():
        cache.give_up_owner(namespace, owner_key)
        forward("give_up_owner", namespace, owner_key)


class ClassFeed:
    """Handler of the reflector of WorkloadClasses: what the planner weighs headroom by. The built-in ones stand where none is written."""

    def __init__(self, publish: Callable[[Mapping[str, WorkloadClass]], object]) -> None:
        self._publish = publish
        self._written: dict[str, WorkloadClass] = {}

    def replace(self, items: Sequence[WorkloadClass]) -> None:
        """The classes are exactly these."""
        self._written = {item.name: item for item in items}
        self._tell()

    def upsert(self, item: WorkloadClass) -> None:
        """The class is new or has changed."""
        self._written[item.name] = item
        self._tell()

    def delete(self, key: ObjectKey) -> None:
        """The class is gone."""
        self._written.pop(key.name, None)
        self._tell()

    def _tell(self) -> None:
        self._publish({**BUILTIN_CLASSES, **self._written})


class PodFeed:
    """Handler of the reflector of pods; tells reservations, slots and node values of bindings, and gates of pods that are held."""

    def __init__(
        self,
        cache: Cache,
        reservations: Reservations,
        ledger: SlotLedger,
        forward: Forward,
        nodes: NodeLedger | None = None,
        held: HeldPods | None = None,
    ) -> None:
        self._nodes = nodes or NodeLedger()
        self._held = held or HeldPods()
        self._cache = cache
        self._reservations = reservations
        self._ledger = ledger
        self._forward = forward
        self._listed = False
        self._listing = Uids()

    def replace(self, items: Sequence[Pod]) -> None:
        """The pods are exactly these."""
        self.begin_list()
        for item in items:
            self.add_listed(item)
        self.end_list()

    def begin_list(self) -> None:
        """What is listed now is the collection, once the list has ended."""
        self._listing = Uids()

    def add_listed(self, item: Pod) -> None:
        """The pod is part of the list. A relist may show bindings whose events were missed; what stood before the first one is no news."""
        self._listing.add(item.uid)
        if self._listed:
            self.upsert(item)
        else:
            self._note(item, self._cache.pod(item.uid))
            self._cache.upsert_pod(item)
            self._held.upsert(item)

    def end_list(self) -> None:
        """All other pods are gone."""
        for uid in self._cache.pods().besides(self._listing):
            self._drop(uid)
        self._listing = Uids()
        if not self._listed:
            self._forward("replace_pods", self._cache.pods())
            self._forward("advance_to", self._cache.generation)
        self._listed = True

    def upsert(self, item: Pod) -> None:
        """The pod is new or has changed. On a node, or finished, it needs no reservation any more."""
        known = self._cache.pod(item.uid)
        self._note(item, known)
        before = self._cache.generation
        self._cache.upsert_pod(item)
        if self._cache.generation == before:
            return
        self._held.upsert(item)
        self._forward("upsert_pod", item)
        if item.node_name or item.finished:
            self._reservations.release(item.uid)
        if item.node_name and not item.finished and (known is None or not known.node_name):
            # slots are kept by the signature that the pod had while it waited: admission may change labels at binding
            signature = item.signature if known is None else known.signature
            self._ledger.bound(signature, item.node_name, self._cache.generation)
            self._nodes.placed(item.uid, item.signature, item.node_name, self._cache.generation)

    def delete(self, key: ObjectKey) -> None:
        """The pod is gone, or has finished and left the selection."""
        self._drop(key.uid)

    def _drop(self, uid: str) -> None:
        self._cache.delete_pod(uid)
        self._held.delete(uid)
        self._reservations.release(uid)
        self._forward("delete_pod", uid)

    def _note(self, pod: Pod, known: Pod | None) -> None:
        """Count a pod that is seen for the first time to the mix of those that come."""
        if known is None and not pod.finished:
            self._nodes.fragments.see(pod.signature)
