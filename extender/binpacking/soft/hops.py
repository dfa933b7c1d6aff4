"""Path latency: calls between services that have to leave their zone."""

from __future__ import annotations

from extender.binpacking.feasibility import Packing
from extender.binpacking.hops import HOP, HopRule
from extender.binpacking.instance import Instance
from extender.binpacking.soft.term import latency_weight
from extender.binpacking.variables import Expression, PackingVariables
from stowplan.model.keys import ZONE


class ZoneHops:
    """The sum over pairs of services and zones of the callers whose calls leave it, times the latency weight of the caller's class."""

    name = "hops"

    def concerns(self, instance: Instance, item: int) -> bool:
        """Callers and callees."""
        return any(item in rule.items | rule.peers for rule in instance.hops)

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """What one more caller or callee in the zone changes; negative where a callee brings an answer."""
        zone = packing.instance.domain(node, ZONE)
        total = 0
        for rule in packing.instance.hops:
            if zone is not None and item in rule.items | rule.peers:
                here, there = _counts(packing, rule, zone)
                after = rule.crossing(here + (item in rule.items), there + (item in rule.peers))
                total += _weight(packing.instance, rule) * (after - rule.crossing(here, there))
        return total

    def total(self, packing: Packing) -> int:
        """Zone by zone, less what stands already."""
        instance = packing.instance
        cost = 0
        for rule in instance.hops:
            for zone in _zones(instance, rule):
                after = rule.crossing(*_counts(packing, rule, zone))
                before = rule.crossing(rule.standing.get(zone, 0), rule.peers_standing.get(zone, 0))
                cost += _weight(instance, rule) * (after - before)
        return cost

    def model(self, variables: PackingVariables) -> list[Expression]:
        """One variable per pair and zone."""
        return [
            term for index, rule in enumerate(variables.instance.hops) for term in _variables(variables, rule, index)
        ]


def _weight(instance: Instance, rule: HopRule) -> int:
    return HOP * max(latency_weight(instance, item) for item in rule.items)


def _zones(instance: Instance, rule: HopRule) -> list[str]:
    """Zones in which a placement may change something."""
    found = {instance.domain(node, ZONE) for item in rule.items | rule.peers for node in instance.eligible[item]}
    return sorted(zone for zone in found if zone is not None)


def _counts(packing: Packing, rule: HopRule, zone: str) -> tuple[int, int]:
    callers = sum(packing.in_domain(ZONE, item)[zone] for item in rule.items)
    callees = sum(packing.in_domain(ZONE, item)[zone] for item in rule.peers)
    return rule.standing.get(zone, 0) + callers, rule.peers_standing.get(zone, 0) + callees


def _variables(variables: PackingVariables, rule: HopRule, index: int) -> list[Expression]:
    instance, model = variables.instance, variables.model
    terms: list[Expression] = []
    for position, zone in enumerate(_zones(instance, rule)):
        callers = rule.standing.get(zone, 0) + _total(variables, rule.items, zone)
        callees = rule.peers_standing.get(zone, 0) + _total(variables, rule.peers, zone)
        crossing = model.new_int_var(0, rule.callers, f"crossing_{index}_{position}")
        model.add(crossing * rule.callees >= callers * rule.callees - callees * rule.callers)
        terms.append(_weight(instance, rule) * crossing)
    return terms


def _total(variables: PackingVariables, items: frozenset[int], zone: str) -> Expression:
    places = {
        n for item in items for n in variables.candidates.bins[item] if variables.instance.domain(n, ZONE) == zone
    }
    return variables.total(sorted(items), sorted(places))
