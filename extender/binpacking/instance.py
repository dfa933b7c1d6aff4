"""The instance: items (pod groups by signature), bins (nodes) and the rules between them. Immutable, solver-agnostic, in exact integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from extender.binpacking.capacity_types import capacity_points
from extender.binpacking.company import CompanyRule, company_rules
from extender.binpacking.eligibility import Eligibility, names_nodes, selector_keys
from extender.binpacking.gangs import GangRule, gang_rules
from extender.binpacking.hops import HopRule, hop_rules
from extender.binpacking.images import known_sizes
from extender.binpacking.prices import node_price
from extender.binpacking.refusal import Refusal, RefusalReason
from extender.binpacking.replica_limits import LimitRule, limit_rules
from extender.binpacking.topology import (
    AffinityRule,
    Residents,
    SpreadRule,
    affinity_rules,
    repelled_domains,
    separations,
    spread_rules,
)
from extender.node_load import busy_cpu
from extender.snapshot import NodeInfo, Snapshot
from stowplan.model.keys import ZONE
from stowplan.model.node import Node
from stowplan.model.placement import spot_pool
from stowplan.model.pod import HostPort, PodSignature
from stowplan.model.resources import Shortfall, shortfalls
from stowplan.model.workload_class import WorkloadClass

_FURNITURE: Final = ("DaemonSet/", "Node/")
"""Owners whose pods do not keep a node in use: DaemonSet pods and mirror pods come and go with the node."""


@dataclass(frozen=True, slots=True)
class Item:
    """Pods of one signature that wait for a node."""

    signature: PodSignature
    count: int
    requests: Mapping[str, int]
    """Positive effective requests, with `pods`."""
    class_name: str = ""

    @property
    def cpu(self) -> int:
        """Millicores by which one pod is expected to load its node."""
        return self.requests.get("cpu", 0)


@dataclass(frozen=True, slots=True)
class Bin:
    """A node that may take pods."""

    info: NodeInfo
    free: Mapping[str, int]
    """Allocatable less used; negative where overcommitted."""
    price: int
    """Micro-dollars an hour."""
    empty: bool
    """Nothing but furniture (DaemonSet and mirror pods) stands on it: the first pod costs the whole price."""
    group: int
    """Empty bins with one group number are interchangeable for every item."""
    busy_cpu: int = 0
    """Millicores by which what stands on the node loads it: measured where it is in use and that is known, else requested."""

    @property
    def node(self) -> Node:
        """The node itself."""
        return self.info.node


@dataclass(frozen=True, slots=True)
class Instance:
    """Everything a packer may know. Items and bins are referred to by index."""

    generation: int
    items: tuple[Item, ...]
    bins: tuple[Bin, ...]
    eligible: tuple[tuple[int, ...], ...]
    """Item -> bins that nothing static forbids and that could take one pod now."""
    refusals: tuple[Mapping[Refusal, int], ...]
    """Item -> why the other bins are not eligible, and how many."""
    separated: Mapping[int, frozenset[tuple[str, int]]]
    """Item -> (topology key, item) pairs that may not share a domain."""
    affinities: Mapping[int, AffinityRule]
    spreads: tuple[SpreadRule, ...]
    port_conflicts: Mapping[int, frozenset[int]]
    """Item -> items that may not share a node with it for their host ports; itself included."""
    limits: tuple[LimitRule, ...]
    companies: tuple[CompanyRule, ...]
    gangs: tuple[GangRule, ...]
    hops: tuple[HopRule, ...]
    image_sizes: Mapping[str, int]
    """Bytes of the items' images, as far as some node has them."""
    capacity_points: tuple[Mapping[str, int], ...]
    """Item -> capacity type -> points below what its class prefers."""
    classes: Mapping[str, WorkloadClass]

    def domain(self, bin_index: int, key: str) -> str | None:
        """The node's value of a topology key."""
        return self.bins[bin_index].node.labels.get(key)

    def priority(self, item: int) -> int:
        """Priority of an item's pods."""
        return self.items[item].signature.priority

    @property
    def order_matters(self) -> frozenset[int]:
        """Items whose admission depends on what stands already: required affinity or hard spread."""
        return frozenset(self.affinities) | {rule.item for rule in self.spreads if rule.constraint.hard}


def build_instance(snapshot: Snapshot, classes: Mapping[str, WorkloadClass]) -> Instance:
    """The instance of a snapshot; signatures that the plan does not model are left out (`unplannable`)."""
    pending = sorted(
        ((s, n) for s, n in snapshot.pending.items() if n > 0 and not s.unplannable),
        key=lambda entry: (-entry[0].priority, entry[0].namespace, entry[0].owner_key, repr(entry[0])),
    )
    items = tuple(_item(signature, count, classes) for signature, count in pending)
    infos = [snapshot.nodes[name] for name in sorted(snapshot.nodes)]
    residents = Residents(infos)
    signatures = [item.signature for item in items]
    bins = _bins(infos, signatures, residents, snapshot)
    eligible, refusals = _eligible(items, bins, residents, snapshot)
    own = [classes.get(item.class_name) for item in items]
    return Instance(
        generation=snapshot.generation,
        items=items,
        bins=bins,
        eligible=eligible,
        refusals=refusals,
        separated=separations(signatures, snapshot.namespaces),
        affinities={rule.item: rule for rule in affinity_rules(signatures, residents, snapshot.namespaces)},
        spreads=tuple(spread_rules(signatures, residents)),
        port_conflicts=_port_conflicts(signatures),
        limits=limit_rules(signatures, [item.count for item in items], own, residents),
        hops=hop_rules(signatures, [item.count for item in items], residents),
        image_sizes=known_sizes(residents.nodes, frozenset(name for s in signatures for name in s.images)),
        gangs=gang_rules(signatures, [item.count for item in items], residents, snapshot.pod_groups),
        companies=company_rules(signatures, residents, snapshot.namespaces),
        capacity_points=tuple(map(capacity_points, signatures, own)),
        classes=classes,
    )


def is_furniture(signature: PodSignature) -> bool:
    """Whether such pods leave a node empty: they belong to it."""
    return signature.owner_key.startswith(_FURNITURE)


def _item(signature: PodSignature, count: int, classes: Mapping[str, WorkloadClass]) -> Item:
    requests = {name: amount for name, amount in signature.requests if amount > 0}
    requests["pods"] = 1
    name = signature.workload_class.split(".", 1)[0]  # a decision may carry its revision: `standard.r7`
    return Item(signature, count, requests, name if name in classes else "")


def _bins(
    infos: list[NodeInfo], signatures: list[PodSignature], residents: Residents, snapshot: Snapshot
) -> tuple[Bin, ...]:
    keys = selector_keys(signatures)
    topology = _topology_keys([*signatures, *residents.standing])
    seen = Counter((k, info.node.labels[k]) for info in infos for k in topology & info.node.labels.keys())
    by_name = any(names_nodes(signature) for signature in signatures)
    groups: dict[object, int] = {}
    bins = []
    for info in infos:
        node = info.node
        empty = all(is_furniture(signature) for signature in info.residents)
        free = {name: amount - info.used.get(name, 0) for name, amount in node.allocatable.items()}
        # a domain of one node (its hostname) is as good as any other such domain, so its value does not matter
        labels = tuple(
            (key, value if key in keys or seen[key, value] > 1 else "")
            for key, value in sorted(node.labels.items())
            if key in keys or key in topology
        )
        alike: object = node.name if by_name or not empty else (_face(info, free), labels)
        group = groups.setdefault(alike, len(groups))
        # what an empty node happens to do (its agents start, an image unpacks) must not tell it from its like
        busy = busy_cpu(info.used, node.allocatable.get("cpu", 0), None if empty else snapshot.loads.get(node.name))
        bins.append(Bin(info, free, node_price(node), empty, group, busy))
    return tuple(bins)


def _face(info: NodeInfo, free: Mapping[str, int]) -> object:
    """All that tells an empty node from another, but for its labels."""
    node = info.node
    return (
        tuple(sorted(free.items())),
        tuple(sorted(node.allocatable.items())),
        node.taints,
        node.ready and not node.unschedulable,
        node_price(node),
        node.capacity_type,
        spot_pool(node),
        frozenset(info.residents.items()),
    )


def _topology_keys(signatures: Iterable[PodSignature]) -> frozenset[str]:
    keys: set[str] = set()
    for signature in signatures:
        keys.update(constraint.topology_key for constraint in signature.spread)
        terms = signature.affinity + signature.anti_affinity + signature.preferred_affinity
        keys.update(term.topology_key for term in terms)
        if signature.talks_to:
            keys.add(ZONE)
    return frozenset(keys)


def _eligible(
    items: tuple[Item, ...], bins: tuple[Bin, ...], residents: Residents, snapshot: Snapshot
) -> tuple[tuple[tuple[int, ...], ...], tuple[Mapping[Refusal, int], ...]]:
    nodes = [b.node for b in bins]
    ports = [{port for signature in b.info.residents for port in signature.host_ports} for b in bins]
    static = Eligibility(item.signature for item in items)
    eligible = []
    refusals: list[Mapping[Refusal, int]] = []
    for item in items:
        closed = repelled_domains(item.signature, residents, snapshot.namespaces)
        fits: list[int] = []
        why: Counter[Refusal] = Counter()
        for index, verdict in enumerate(static.verdicts(item.signature, nodes)):
            refusal = verdict or _standing(item, bins[index], ports[index], closed)
            if refusal is None:
                fits.append(index)
            else:
                why[refusal] += 1
        eligible.append(tuple(fits))
        refusals.append(why)
    return tuple(eligible), tuple(refusals)


def _standing(item: Item, place: Bin, ports: set[HostPort], closed: set[tuple[str, str]]) -> Refusal | None:
    """What stands on the node already against one more pod; it cannot go away while a plan is made."""
    for port in item.signature.host_ports:
        if any(port.conflicts(other) for other in ports):
            return port_refusal(port)
    if any(place.free.get(name, 0) < amount for name, amount in item.requests.items()):
        lacking = shortfalls(item.requests, place.info.used, place.node.allocatable)
        return Refusal(RefusalReason.INSUFFICIENT_RESOURCES, tuple(lacking))
    labels = place.node.labels
    if closed and any(labels.get(key) == value for key, value in closed):
        return Refusal(RefusalReason.ANTI_AFFINITY)
    return None


def port_refusal(port: HostPort) -> Refusal:
    """A host port that is taken: one asked, one used, of one."""
    return Refusal(RefusalReason.HOST_PORT, (Shortfall(f"host port {port.port}/{port.protocol}", 1, 1, 1),))


def _port_conflicts(signatures: list[PodSignature]) -> dict[int, frozenset[int]]:
    using = [index for index, signature in enumerate(signatures) if signature.host_ports]
    return {
        left: frozenset(
            right
            for right in using
            if any(a.conflicts(b) for a in signatures[left].host_ports for b in signatures[right].host_ports)
        )
        for left in using
    }
