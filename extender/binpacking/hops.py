"""Services that talk to each other, as rules between the items of an instance: how many calls have to leave their zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from extender.binpacking.topology import Residents
from stowplan.model.keys import ZONE
from stowplan.model.placement import Service, service_of
from stowplan.model.pod import PodSignature

HOP: Final = 300
"""Points of one caller whose calls leave the zone: a millisecond for each call counts like load a third of a node over its bound."""


@dataclass(frozen=True, slots=True)
class HopRule:
    """One service that calls another. Pods of both count by zone: those that stand, and those of the items."""

    caller: Service
    callee: Service
    items: frozenset[int]
    peers: frozenset[int]
    standing: Mapping[str, int]
    """Zone -> callers there."""
    peers_standing: Mapping[str, int]
    callers: int
    """All of them, waiting ones included; so for the callees."""
    callees: int

    def crossing(self, callers: int, callees: int) -> int:
        """Callers in a zone beyond what its share of the callees can serve, rounded up.

        Where calls stay in their zone as long as somebody answers there (topology aware routing, `trafficDistribution`), and load is
        shared evenly, so many callers' calls have to leave it.
        """
        return max(0, -((callees * self.callers - callers * self.callees) // self.callees))


def hop_rules(signatures: Sequence[PodSignature], counts: Sequence[int], residents: Residents) -> tuple[HopRule, ...]:
    """One rule for every pair of services of which a waiting pod says that it calls the other, where the other exists."""
    services = [service_of(signature) for signature in signatures]
    pairs = {
        (service, peer)
        for signature, service in zip(signatures, services, strict=True)
        for peer in signature.talks_to
        if service is not None and peer != service
    }
    if not pairs:
        return ()
    involved = {service for pair in pairs for service in pair}
    zones: dict[Service, Counter[str]] = {service: Counter() for service in involved}
    for signature, places in residents.standing.items():
        service = service_of(signature)
        if service in zones:
            for index, count in places:
                zones[service][residents.nodes[index].labels.get(ZONE, "")] += count
    members = {s: frozenset(i for i, own in enumerate(services) if own == s) for s in involved}
    totals = {s: zones[s].total() + sum(counts[item] for item in members[s]) for s in involved}
    return tuple(
        HopRule(caller, callee, members[caller], members[callee], zones[caller], zones[callee], *found)
        for caller, callee in sorted(pairs)
        if all(found := (totals[caller], totals[callee]))
    )
