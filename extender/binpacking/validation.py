"""The independent validator: replays a plan's slots pod by pod on the snapshot and drops what kube-scheduler would refuse.

Solver and algorithm agnostic. It shares no rule with `feasibility` or the constraints: it counts from the pods each time, where those
keep counters, so that a mistake in one of them shows here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from extender.binpacking.gang_validation import short_gangs
from extender.cluster.snapshot import Snapshot
from stowplan.model.devices import SHARED, devices_of, left_on_devices
from stowplan.model.node import Node
from stowplan.model.placement import Service, per_node, per_spot_pool, service_of, spot_pool
from stowplan.model.pod import PodAffinityTerm, PodSignature, SpreadConstraint
from stowplan.model.workload_class import WorkloadClass

SignatureSlots = Mapping[PodSignature, Mapping[str, int]]
"""Signature -> node name -> pods."""
Placement = tuple[PodSignature, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is left of the slots, in an order in which every pod is admitted."""

    order: tuple[Placement, ...]
    dropped: tuple[tuple[PodSignature, str, int], ...] = ()
    """(signature, node, pods) that would be refused."""

    def slots(self) -> dict[PodSignature, dict[str, int]]:
        """The admitted slots; nodes in the order in which they get their first pod."""
        admitted: dict[PodSignature, dict[str, int]] = {}
        for signature, node in self.order:
            nodes = admitted.setdefault(signature, {})
            nodes[node] = nodes.get(node, 0) + 1
        return admitted


def validate(
    snapshot: Snapshot, slots: SignatureSlots, classes: Mapping[str, WorkloadClass] = MappingProxyType({})
) -> Verdict:
    """Replay the slots in passes, one pod of each slot a pass, until no further pod is admitted.

    Args:
        snapshot: the cluster.
        slots: what is planned on it.
        classes: workload classes by name, for the limits of replicas that they set.
    """
    verdict = _replay(snapshot, slots, classes)
    useless = short_gangs(snapshot, Counter(signature for signature, _ in verdict.order))
    if not useless:
        return verdict
    rest = {signature: nodes for signature, nodes in slots.items() if signature not in useless}
    again = validate(
        snapshot, rest, classes
    )  # others may have needed their company; fewer signatures each time, so this ends
    given_up = [(s, node, n) for s in slots if s in useless for node, n in slots[s].items()]
    return Verdict(again.order, (*again.dropped, *given_up))


def _replay(snapshot: Snapshot, slots: SignatureSlots, classes: Mapping[str, WorkloadClass]) -> Verdict:
    cluster = _Cluster(snapshot, classes)
    budget = dict(snapshot.pending)
    waiting = [(signature, node, count) for signature, nodes in slots.items() for node, count in nodes.items()]
    order: list[Placement] = []
    while True:
        held = []
        admitted = len(order)
        for signature, node, count in waiting:
            left = count
            if left > 0 and budget.get(signature, 0) > 0 and cluster.admits(signature, node):
                cluster.place(signature, node)
                budget[signature] -= 1
                order.append((signature, node))
                left -= 1
            if left > 0:
                held.append((signature, node, left))
        waiting = held
        if len(order) == admitted:
            return Verdict(tuple(order), tuple(held))


@dataclass(slots=True)
class _Cluster:
    """The snapshot and the pods placed on it so far."""

    snapshot: Snapshot
    classes: Mapping[str, WorkloadClass]
    used: dict[str, dict[str, int]] = field(default_factory=dict)
    standing: dict[PodSignature, Counter[str]] = field(default_factory=dict)
    on_node: dict[str, set[PodSignature]] = field(default_factory=lambda: defaultdict(set))
    repelling: list[PodSignature] = field(default_factory=list)
    _of_service: dict[Service | None, list[PodSignature]] = field(default_factory=lambda: defaultdict(list))
    _replicas: Counter[Service | None] = field(default_factory=Counter)
    _selected: dict[tuple[int, int], bool] = field(default_factory=dict)
    _counted: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, info in self.snapshot.nodes.items():
            self.used[name] = dict(info.used)
            for signature, count in info.residents.items():
                self._note(signature, name, count)
                self._replicas[service_of(signature)] += count
        for signature, count in self.snapshot.pending.items():
            self._replicas[service_of(signature)] += 0 if signature.unplannable else max(0, count)

    def place(self, signature: PodSignature, name: str) -> None:
        """Put one pod on a node."""
        used = self.used[name]
        for resource, amount in signature.requests:
            used[resource] = used.get(resource, 0) + amount
        self._note(signature, name, 1)

    def _note(self, signature: PodSignature, name: str, count: int) -> None:
        if signature not in self.standing:
            self.standing[signature] = Counter()
            self._of_service[service_of(signature)].append(signature)
            if signature.anti_affinity:
                self.repelling.append(signature)
        self.standing[signature][name] += count
        self.on_node[name].add(signature)

    def admits(self, signature: PodSignature, name: str) -> bool:
        """Whether every filter lets one more pod of the signature onto the node."""
        info = self.snapshot.nodes.get(name)
        if info is None or signature.unplannable or info.node.unschedulable or not info.node.ready:
            return False
        node = info.node
        return (
            _tolerated(signature, node)
            and _selected(signature, node)
            and self._fits(signature, node)
            and self._device_left(signature, node)
            and self._ports_free(signature, node)
            and self._not_repelled(signature, node)
            and self._accompanied(signature, node)
            and all(self._spreads(signature, c, node) for c in signature.spread if c.hard)
            and self._within_limits(signature, node)
        )

    def _within_limits(self, signature: PodSignature, node: Node) -> bool:
        """Replicas of the service per node and per spot pool, counted over all signatures of the service."""
        service = service_of(signature)
        own = self.classes.get(signature.workload_class.split(".", 1)[0])
        on_node, in_pool = per_node(signature, own), per_spot_pool(signature, own)
        if service is None or (on_node is None and in_pool is None):
            return True
        places: Counter[str] = Counter()
        for other in self._of_service[service]:
            places.update(self.standing[other])
        replicas = self._replicas[service]
        if on_node is not None and places[node.name] >= on_node.most(replicas):
            return False
        pool = spot_pool(node)
        if in_pool is None or pool is None:
            return True
        there = sum(n for name, n in places.items() if spot_pool(self.snapshot.nodes[name].node) == pool)
        return there < in_pool.most(replicas)

    def _fits(self, signature: PodSignature, node: Node) -> bool:
        used = self.used[node.name]
        return all(
            amount <= 0 or used.get(resource, 0) + amount <= node.allocatable.get(resource, 0)
            for resource, amount in signature.requests
        )

    def _device_left(self, signature: PodSignature, node: Node) -> bool:
        """For a share of a device: all shares on the node and one more can be divided among its devices."""
        for resource, asked in signature.requests:
            if resource in SHARED and asked > 0:
                shares = [asked]
                for other in self.on_node[node.name]:
                    shares += [dict(other.requests).get(resource, 0)] * self.standing[other][node.name]
                if left_on_devices(filter(None, shares), *devices_of(node.allocatable, resource)) is None:
                    return False
        return True

    def _ports_free(self, signature: PodSignature, node: Node) -> bool:
        taken = [port for other in self.on_node[node.name] for port in other.host_ports]
        return not any(port.conflicts(other) for port in signature.host_ports for other in taken)

    def _matches(self, term: PodAffinityTerm, signature: PodSignature) -> bool:
        """Whether an affinity term speaks of pods of a signature (remembered by their identities)."""
        key = (id(term), id(signature))
        if key not in self._selected:
            named = signature.namespace in term.namespaces
            chosen = term.namespace_selector
            labels = self.snapshot.namespaces.get(signature.namespace, {})
            within = named or (chosen is not None and chosen.matches(labels))
            self._selected[key] = within and term.selector is not None and term.selector.matches(dict(signature.labels))
        return self._selected[key]

    def _neighbours(self, key: str, node: Node, wanted: Callable[[PodSignature], bool]) -> int:
        """Pods whose signature is wanted on nodes with the same value of the topology key."""
        value = node.labels[key]
        return sum(
            count
            for signature, names in self.standing.items()
            if wanted(signature)
            for name, count in names.items()
            if self.snapshot.nodes[name].node.labels.get(key) == value
        )

    def _not_repelled(self, signature: PodSignature, node: Node) -> bool:
        for term in signature.anti_affinity:
            if self._has_neighbour(term.topology_key, node, partial(self._matches, term)):
                return False
        for other in self.repelling:
            for term in other.anti_affinity:
                if self._matches(term, signature) and self._has_neighbour(term.topology_key, node, other.__eq__):
                    return False
        return True

    def _has_neighbour(self, key: str, node: Node, wanted: Callable[[PodSignature], bool]) -> bool:
        return key in node.labels and self._neighbours(key, node, wanted) > 0

    def _accompanied(self, signature: PodSignature, node: Node) -> bool:
        terms = signature.affinity
        if not terms:
            return True
        keys = {term.topology_key for term in terms}
        if not keys <= node.labels.keys():
            return False

        def company(other: PodSignature) -> bool:
            return all(self._matches(term, other) for term in terms)

        if all(self._neighbours(key, node, company) for key in keys):
            return True
        counted = any(
            count and keys & self.snapshot.nodes[name].node.labels.keys()
            for other, names in self.standing.items()
            if company(other)
            for name, count in names.items()
        )
        return not counted and company(signature)

    def _spreads(self, signature: PodSignature, constraint: SpreadConstraint, node: Node) -> bool:
        key = constraint.topology_key
        if key not in node.labels:
            return False
        selector = constraint.selector
        chosen = selector is not None and selector.matches(dict(signature.labels))
        domains = self._domains(signature, constraint)
        per_domain = Counter(dict.fromkeys(domains.values(), 0))
        if selector is not None and selector.expressions:  # the empty selector counts no pod at all
            for other, names in self.standing.items():
                if other.namespace == signature.namespace and selector.matches(dict(other.labels)):
                    for name in names.keys() & domains.keys():
                        per_domain[domains[name]] += names[name]
        least = min(per_domain.values(), default=0) if len(per_domain) >= constraint.min_domains else 0
        return per_domain[node.labels[key]] + int(chosen) - least <= constraint.max_skew

    def _domains(self, signature: PodSignature, constraint: SpreadConstraint) -> dict[str, str]:
        """Node name -> domain, of the nodes that a constraint counts; it does not depend on pods, so it is remembered."""
        key = (id(signature), id(constraint))
        if key not in self._counted:
            self._counted[key] = {
                name: info.node.labels[constraint.topology_key]
                for name, info in self.snapshot.nodes.items()
                if _counts_for(signature, constraint, info.node)
            }
        return self._counted[key]


def _tolerated(signature: PodSignature, node: Node) -> bool:
    hard = [taint for taint in node.taints if taint.effect in ("NoSchedule", "NoExecute")]
    return all(any(toleration.tolerates(taint) for toleration in signature.tolerations) for taint in hard)


def _selected(signature: PodSignature, node: Node) -> bool:
    if any(not expression.matches(node.labels) for expression in signature.node_selector):
        return False
    terms = signature.required_nodes
    return terms is None or any(term.matches(node.labels, node.name) for term in terms)


def _counts_for(signature: PodSignature, constraint: SpreadConstraint, node: Node) -> bool:
    """Whether a spread constraint counts pods on a node: all hard keys there, and the inclusion policies met."""
    if any(other.topology_key not in node.labels for other in signature.spread if other.hard):
        return False
    if constraint.honor_node_affinity and not _selected(signature, node):
        return False
    return not constraint.honor_taints or _tolerated(signature, node)
