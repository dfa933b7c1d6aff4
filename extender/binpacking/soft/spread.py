"""Soft topology spread (ScheduleAnyway): pods above the even share of a domain."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance
from extender.binpacking.topology import SpreadRule
from extender.binpacking.variables import Expression, PackingVariables

SOFT_SPREAD: Final = 1000
"""Weight of one pod above the even share of a domain, before the class's spread weight."""
_DEFAULT_WEIGHT: Final = 10


def spread_weight(instance: Instance, item: int) -> int:
    """Penalty of one pod of an item above the even share of a domain."""
    found = instance.classes.get(instance.items[item].class_name)
    return SOFT_SPREAD * (found.scheduling.weights.spread if found else _DEFAULT_WEIGHT)


def even_share(instance: Instance, rule: SpreadRule) -> int:
    """Pods of a soft constraint that a domain may hold for free: an even split of all of them, and one less than the skew."""
    coming = sum(instance.items[item].count for item in rule.matching)
    total = sum(rule.standing.values()) + coming
    return -(-total // max(1, len(rule.standing))) + rule.constraint.max_skew - 1


class SoftSpread:
    """The sum over soft constraints and domains."""

    name = "spread"

    def concerns(self, instance: Instance, item: int) -> bool:
        """Items with a soft constraint."""
        return any(not constraint.hard for constraint in instance.items[item].signature.spread)

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """Pods beyond the skew just now; the even share is only known once all are placed."""
        return packing.soft_excess(item, node) * spread_weight(packing.instance, item)

    def total(self, packing: Packing) -> int:
        """What the placements add to the pods above the even share."""
        return sum(_above(packing, rule) for rule in packing.instance.spreads if not rule.constraint.hard)

    def model(self, variables: PackingVariables) -> list[Expression]:
        """One variable per constraint and domain."""
        soft = [rule for rule in variables.instance.spreads if not rule.constraint.hard]
        return [term for index, rule in enumerate(soft) for term in _variables(variables, rule, index)]


def _above(packing: Packing, rule: SpreadRule) -> int:
    coming: Counter[str] = Counter()
    for item in rule.matching:
        for node, count in packing.slots[item].items():
            domain = rule.domains[node]
            if domain is not None:
                coming[domain] += count
    share = even_share(packing.instance, rule)
    over = sum(
        max(0, rule.standing[domain] + count - share) - max(0, rule.standing[domain] - share)
        for domain, count in coming.items()
    )
    return over * spread_weight(packing.instance, rule.item)


def _variables(variables: PackingVariables, rule: SpreadRule, index: int) -> list[Expression]:
    bins: dict[str, set[int]] = defaultdict(set)
    for item in rule.matching:
        for node in variables.candidates.bins[item]:
            domain = rule.domains[node]
            if domain is not None:
                bins[domain].add(node)
    share = even_share(variables.instance, rule)
    weight = spread_weight(variables.instance, rule.item)
    ceiling = max(rule.standing.values(), default=0) + sum(variables.instance.items[i].count for i in rule.matching)
    terms: list[Expression] = []
    for position, (domain, nodes) in enumerate(sorted(bins.items())):
        over = variables.model.new_int_var(0, ceiling, f"uneven_{index}_{position}")
        variables.model.add(over >= rule.standing[domain] + variables.total(sorted(rule.matching), nodes) - share)
        terms.append(weight * over)
    return terms
