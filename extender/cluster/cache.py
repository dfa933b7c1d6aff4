"""The cluster in memory, fed by watch events; the only writer of snapshots.

As in kube-scheduler, per-node sums are kept up to date event by event, and a snapshot rebuilds only the nodes that changed since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from extender.cluster.node_entry import NodeEntry
from extender.cluster.owners import KINDS, OwnerKey, OwnerTable, Template, key_of
from extender.cluster.pod_columns import PodColumns, PodObserver
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.cluster.waiting_pods import WaitingPods
from stowplan.kube.projection import Deadline, PodOwner
from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.node import Node
from stowplan.model.pod import Pod

OURS: Final = frozenset({SCHEDULER_NAME})

Event = tuple[str, tuple[object, ...]]
"""A method of `Cache` and its arguments: what the planner's mirror is fed with."""


class Cache:
    """Nodes, pods that take room or wait, their owners, and namespace labels. Not thread-safe: one event loop feeds and reads it.

    Events may come in any order and more than once; an event that changes nothing does not move the generation. Two caches in the same
    state that are fed the same events stay at the same generation: the planner's mirror relies on it (see `advance_to`).
    Time is no event: `overdue_owners` only asks, and what follows is said by `give_up_owner`, so that the mirror needs no clock.
    Pods and nodes handed in belong to the cache from then on and may not be changed.

    Args:
        schedulers: the `schedulerName`s whose waiting pods are counted as pending.
        clock: monotonic seconds, for `overdue_owners`.
        observer: told of pods on nodes.
    """

    def __init__(
        self,
        schedulers: frozenset[str] = OURS,
        clock: Callable[[], float] = time.monotonic,
        observer: PodObserver | None = None,
    ) -> None:
        self.generation = 0
        self.node_changes = 0
        """Counts changes of nodes themselves, not of what stands on them."""
        self._schedulers = schedulers
        self._entries: dict[str, NodeEntry] = {}
        self._pods = PodColumns(observer)
        self._waiting = WaitingPods()
        self._namespaces: Mapping[str, Mapping[str, str]] = {}  # never changed in place: snapshots have it
        self._owners = OwnerTable(schedulers, clock)
        self._expected_changes = 0
        self._observed: dict[str, Mapping[Any, Any]] = {"loads": {}, "pod_groups": {}}
        self._dirty, self._unread = set[str](), set[str]()
        self._snapshot = Snapshot(generation=0, nodes={}, pending={})

    # Nodes

    def replace_nodes(self, nodes: Iterable[Node]) -> None:
        """The cluster's nodes are exactly these."""
        listed = {node.name: node for node in nodes}
        self.keep_nodes(listed)
        for node in listed.values():
            self.upsert_node(node)

    def keep_nodes(self, names: Iterable[str]) -> None:
        """All other nodes are gone."""
        kept = set(names)
        for name in [n for n, entry in self._entries.items() if entry.node is not None and n not in kept]:
            self.delete_node(name)

    def upsert_node(self, node: Node) -> None:
        """The node is new or has changed. A heartbeat changes nothing that is kept, so it is no change."""
        entry = self._entries.setdefault(node.name, NodeEntry())
        if entry.node == node:
            return
        entry.node = node
        self.node_changes += 1
        self._touch(node.name)

    def delete_node(self, name: str) -> None:
        """The node is gone; its pods are kept until their own events come."""
        entry = self._entries.get(name)
        if entry is None or entry.node is None:
            return
        entry.node = None
        self.node_changes += 1
        self._forget_if_empty(name, entry)
        self._touch(name)

    # Pods

    def replace_pods(self, pods: Iterable[Pod]) -> None:
        """The cluster's pods are exactly these."""
        listed = {pod.uid: pod for pod in sorted(pods, key=attrgetter("created_s"))}
        self.keep_pods(listed)
        for pod in listed.values():
            self.upsert_pod(pod)

    def keep_pods(self, uids: Iterable[str]) -> None:
        """All other pods are gone."""
        for uid in self._pods.besides(uids):
            self.delete_pod(uid)

    def upsert_pod(self, pod: Pod) -> None:
        """The pod is new or has changed. A finished pod takes no room and is dropped."""
        if pod.finished:
            self.delete_pod(pod.uid)
            return
        known = self._pods.get(pod.uid)
        if known == pod:
            return
        if known is not None:
            self._count(known, -1)
        self._pods.put(pod)
        self._count(pod, 1)
        self._owners.pod_changed(known, pod)
        self.generation += 1

    def delete_pod(self, uid: str) -> None:
        """The pod is gone. Unknown ones are ignored."""
        pod = self._pods.pop(uid)
        if pod is not None:
            self._count(pod, -1)
            self._owners.pod_changed(pod, None)
            self.generation += 1

    def pod(self, uid: str) -> Pod | None:
        """The pod of this UID, or None where it is unknown or finished."""
        return self._pods.get(uid)

    def pods(self) -> PodColumns:
        """All pods known, as they are when they are looked at; only to be read."""
        return self._pods

    def asks_for_slots(self) -> bool:
        """Whether a pod waits or is expected."""
        return bool(self._waiting.pods) or self._owners.expects

    def waiting(self) -> Iterable[Pod]:
        """The pods that are counted as pending."""
        return self._waiting.pods.values()

    # Owners of pods

    def replace_owners(self, owners: Iterable[PodOwner], kind: str) -> bool:
        """The owners of this kind that want pods are exactly these. Whether that is news, as for all events of owners."""
        with self._expecting():
            return self._owners.replace(owners, kind)

    def upsert_owner(self, owner: PodOwner) -> bool:
        """The owner is new or has changed. Whether that is news; it moves the generation only where it changes what is expected."""
        with self._expecting():
            return self._owners.want(key_of(owner), owner.desired, owner.deadline)

    def delete_owner(self, namespace: str, owner_key: str) -> bool:
        """The owner (`Kind/name`) is gone or wants no pod any more. Whether that is news."""
        with self._expecting():
            return self._owners.want((namespace, owner_key), 0)

    def wanted(self, owner: OwnerKey) -> int:
        """Pods that an owner wants; 0 where it is not known."""
        return self._owners.wanted(owner)

    def deadline(self, owner: OwnerKey) -> Deadline | None:
        """When an owner ends its pods, if it does."""
        return self._owners.deadline(owner)

    def give_up_owner(self, namespace: str, owner_key: str) -> None:
        """Expect no pod of this owner until one appears or it wants more."""
        with self._expecting():
            self._owners.give_up((namespace, owner_key))

    def overdue_owners(self) -> list[OwnerKey]:
        """Owners (namespace, `Kind/name`) whose expected pods have not appeared for so long that they should be given up."""
        return self._owners.overdue()

    def replace_templates(self, templates: Iterable[Template]) -> None:
        """What another cache has learned of its owners (part of a resync)."""
        with self._expecting():
            self._owners.replace_templates(templates)

    def upsert_template(self, template: Template) -> None:
        """What another cache has learned of one owner (part of a resync)."""
        with self._expecting():
            self._owners.learn(template)

    # Namespaces, and what is polled

    def replace_namespaces(self, namespaces: Mapping[str, Mapping[str, str]]) -> None:
        """The cluster's namespaces (name -> labels) are exactly these."""
        if self._namespaces != namespaces:
            self._namespaces = dict(namespaces)
            self.generation += 1

    def upsert_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """The namespace is new or has changed."""
        if self._namespaces.get(name) != labels:
            self._namespaces = {**self._namespaces, name: labels}
            self.generation += 1

    def delete_namespace(self, name: str) -> None:
        """The namespace is gone. Unknown ones are ignored."""
        if name in self._namespaces:
            self._namespaces = {other: labels for other, labels in self._namespaces.items() if other != name}
            self.generation += 1

    def observe(self, what: str, found: Mapping[Any, Any]) -> bool:
        """Take over what was polled: `loads` or `pod_groups`, as in `Snapshot`. Whether that is news."""
        if self._observed[what] == found:
            return False
        self._observed[what] = found
        self.generation += 1
        return True

    # Reading

    def snapshot(self) -> Snapshot:
        """The cluster now. Costs little where little has changed; nothing where nothing has."""
        old = self._snapshot
        if old.generation == self.generation:
            return old
        self._snapshot = Snapshot(
            generation=self.generation,
            nodes=self._rebuilt(old.nodes) if self._dirty else old.nodes,
            pending=self._waiting.by_signature(),
            namespaces=self._namespaces,
            expected=self._owners.expected() if self._owners.changes != self._expected_changes else old.expected,
            **self._observed,
        )
        self._expected_changes = self._owners.changes
        self._unread |= self._dirty
        self._dirty = set()
        return self._snapshot

    def changed_nodes(self) -> set[str]:
        """Names of the nodes that have changed in snapshots since the last call, those that are gone included."""
        changed, self._unread = self._unread, set()
        return changed

    def events(self) -> list[Event]:
        """The events that bring another cache, in whatever state, to this one's state and generation (a resync)."""
        return [
            ("replace_namespaces", (dict(self._namespaces),)),
            ("replace_nodes", ([entry.node for entry in self._entries.values() if entry.node is not None],)),
            *(("replace_owners", (list(self._owners.wanting(kind).values()), kind)) for kind in KINDS),
            ("replace_pods", (self._pods.copy(),)),
            ("replace_templates", (self._owners.templates(),)),
            *(("observe", (what, found)) for what, found in self._observed.items()),
            ("advance_to", (self.generation,)),
        ]

    def advance_to(self, generation: int) -> None:
        """Take over the generation of the cache whose state was just copied, so that plans name generations both sides know."""
        self.snapshot()
        self.generation = generation
        self._snapshot = replace(self._snapshot, generation=generation)

    @contextmanager
    def _expecting(self) -> Iterator[None]:
        """Move the generation where what is done meanwhile changes what is expected."""
        before = self._owners.changes
        yield
        self.generation += self._owners.changes != before

    def _rebuilt(self, nodes: Mapping[str, NodeInfo]) -> dict[str, NodeInfo]:
        changed = dict(nodes)
        for name in self._dirty:
            entry = self._entries.get(name)
            if entry is None or entry.node is None:
                changed.pop(name, None)
            else:
                changed[name] = entry.lend(entry.node)
        return changed

    def _touch(self, name: str) -> None:
        self._dirty.add(name)
        self.generation += 1

    def _count(self, pod: Pod, sign: int) -> None:
        """Add (1) or take away (-1) what the pod contributes; the caller moves the generation."""
        if pod.node_name:
            entry = self._entries.setdefault(pod.node_name, NodeEntry())
            entry.count(pod.signature, sign)
            self._forget_if_empty(pod.node_name, entry)
            self._dirty.add(pod.node_name)
        elif pod.pending and pod.signature.scheduler_name in self._schedulers:
            self._waiting.count(pod, sign)

    def _forget_if_empty(self, name: str, entry: NodeEntry) -> None:
        if entry.node is None and not entry.residents:
            self._entries.pop(name, None)
