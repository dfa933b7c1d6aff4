"""Limits of a service's replicas per node and per spot pool, as rules between the items of an instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from extender.binpacking.topology import Residents
from stowplan.model.node import Node
from stowplan.model.placement import Service, per_node, per_spot_pool, service_of, spot_pool
from stowplan.model.pod import PodSignature, ReplicaLimit
from stowplan.model.workload_class import WorkloadClass


class Scope(StrEnum):
    """What is lost together."""

    NODE = "node"
    SPOT_POOL = "spot pool"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """At most so many pods of a service in one domain, asked for by some of its items."""

    service: Service
    scope: Scope
    most: int
    items: frozenset[int]
    """Items that ask for it: no pod of them goes where the limit is reached."""
    counted: frozenset[int]
    """Items whose pods count: all of the service."""
    domains: tuple[str | None, ...]
    """By bin: its domain, or None where the rule does not look (on-demand nodes, for spot pools)."""
    standing: Mapping[str, int]
    """Domain -> pods of the service there already."""


def domain_of(node: Node, scope: Scope) -> str | None:
    """The domain of a node, or None where it has none."""
    return node.name if scope is Scope.NODE else spot_pool(node)


def limit_rules(
    signatures: Sequence[PodSignature],
    counts: Sequence[int],
    classes: Sequence[WorkloadClass | None],
    residents: Residents,
) -> tuple[LimitRule, ...]:
    """One rule for every service, scope and limit that an item asks for; signatures, counts and classes are those of the items."""
    services = [service_of(signature) for signature in signatures]
    asking: dict[tuple[Service, Scope, ReplicaLimit], set[int]] = {}
    for item, (signature, service, own) in enumerate(zip(signatures, services, classes, strict=True)):
        for scope, limit in ((Scope.NODE, per_node(signature, own)), (Scope.SPOT_POOL, per_spot_pool(signature, own))):
            if service is not None and limit is not None:
                asking.setdefault((service, scope, limit), set()).add(item)
    if not asking:
        return ()
    places = _standing({service for service, _, _ in asking}, residents)
    rules = []
    for (service, scope, limit), items in asking.items():
        counted = frozenset(item for item, other in enumerate(services) if other == service)
        domains = tuple(domain_of(node, scope) for node in residents.nodes)
        standing: Counter[str] = Counter()
        for index, count in places[service].items():
            domain = domains[index]
            if domain is not None:
                standing[domain] += count
        replicas = places[service].total() + sum(counts[item] for item in counted)
        rules.append(LimitRule(service, scope, limit.most(replicas), frozenset(items), counted, domains, standing))
    return tuple(rules)


def _standing(services: set[Service], residents: Residents) -> dict[Service, Counter[int]]:
    """Service -> bin -> its pods there."""
    places: dict[Service, Counter[int]] = {service: Counter() for service in services}
    for signature, found in residents.standing.items():
        service = service_of(signature)
        if service in places:
            for index, count in found:
                places[service][index] += count
    return places
