"""The guidance that is published with a plan."""

from __future__ import annotations

from collections import Counter

from extender.binpacking.feasibility import Packing
from extender.binpacking.replica_limits import Scope
from extender.guidance import Guidance, ReplicaRoom
from stowplan.model.keys import ZONE
from stowplan.model.placement import Service

_PERMILLE = 1000


def guidance_of(packing: Packing) -> Guidance:
    """What the packing's rules say about services, once its slots are taken."""
    return Guidance(_rooms(packing), _zone_shares(packing), dict(packing.instance.image_sizes))


def _rooms(packing: Packing) -> dict[Service, ReplicaRoom]:
    per_node: dict[Service, int] = {}
    pools: dict[Service, set[str]] = {}
    for rule in packing.instance.limits:
        pools.setdefault(rule.service, set())
        if rule.scope is Scope.NODE:
            per_node[rule.service] = min(rule.most, per_node.get(rule.service, rule.most))
            continue
        counts = Counter(rule.standing)
        for item in rule.counted:
            for node, count in packing.slots[item].items():
                domain = rule.domains[node]
                if domain is not None:
                    counts[domain] += count
        pools[rule.service].update(domain for domain, count in counts.items() if count >= rule.most)
    return {service: ReplicaRoom(per_node.get(service, 0), frozenset(full)) for service, full in pools.items()}


def _zone_shares(packing: Packing) -> dict[Service, dict[str, int]]:
    shares: dict[Service, dict[str, int]] = {}
    for rule in packing.instance.hops:
        counts = Counter(rule.peers_standing)
        for item in rule.peers:
            counts.update(packing.in_domain(ZONE, item))
        total = max(1, counts.total())
        shares[rule.callee] = {zone: count * _PERMILLE // total for zone, count in counts.items() if count}
    return shares
