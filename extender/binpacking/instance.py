"""The instance: items (pod groups by signature), bins (nodes) and the rules between them. Immutable, solver-agnostic, in exact integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extender.binpacking.bins import Bin, Item, bins_of
from extender.binpacking.capacity_types import capacity_points
from extender.binpacking.company import CompanyRule, company_rules
from extender.binpacking.eligible import eligible_bins
from extender.binpacking.gangs import GangRule, gang_rules
from extender.binpacking.hops import HopRule, hop_rules
from extender.binpacking.images import known_sizes
from extender.binpacking.refusal import Refusal
from extender.binpacking.replica_limits import LimitRule, limit_rules
from extender.binpacking.topology import (
    AffinityRule,
    Residents,
    SpreadRule,
    affinity_rules,
    separations,
    spread_rules,
)
from extender.cluster.snapshot import Snapshot
from stowplan.model.pod import PodSignature
from stowplan.model.workload_class import WorkloadClass


@dataclass(frozen=True, slots=True)
class Instance:
    """Everything a packer may know. Items and bins are referred to by index."""

    generation: int
    items: tuple[Item, ...]
    bins: tuple[Bin, ...]
    eligible: tuple[tuple[int, ...], ...]
    """Item -> bins that nothing static forbids and that could take one pod now."""
    refusals: Sequence[Mapping[Refusal, int]]
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
    bins = bins_of(infos, signatures, residents.standing, snapshot)
    eligible, refusals = eligible_bins(items, bins, residents, snapshot)
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


def _item(signature: PodSignature, count: int, classes: Mapping[str, WorkloadClass]) -> Item:
    requests = {name: amount for name, amount in signature.requests if amount > 0}
    requests["pods"] = 1
    name = signature.workload_class.split(".", 1)[0]  # a decision may carry its revision: `standard.r7`
    return Item(signature, count, requests, name if name in classes else "")


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
