"""Preferences of a pod that one node meets and another does not, whatever else is placed: node terms, soft taints, capacity types."""

from __future__ import annotations

from typing import Final

from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance
from extender.binpacking.soft.term import PREFERENCE
from extender.binpacking.variables import Expression, PackingVariables

_SOFT_TAINT: Final = "PreferNoSchedule"


def placement_cost(instance: Instance, item: int, node: int) -> int:
    """What one pod of an item would rather have than a bin."""
    signature = instance.items[item].signature
    target = instance.bins[node].node
    points = 0
    if signature.preferred_nodes:
        unmet = (p.weight for p in signature.preferred_nodes if not p.term.matches(target.labels, target.name))
        points += sum(unmet)
    for taint in target.taints:
        if taint.effect == _SOFT_TAINT and not any(t.tolerates(taint) for t in signature.tolerations):
            points += 1
    return PREFERENCE * (points + instance.capacity_points[item].get(target.capacity_type, 0))


class Preferences:
    """The sum over pods."""

    name = "preferences"

    def concerns(self, instance: Instance, item: int) -> bool:
        """Items with preferred nodes or a class that prefers a capacity type; all, where nodes have soft taints."""
        soft = any(taint.effect == _SOFT_TAINT for place in instance.bins for taint in place.node.taints)
        return soft or bool(instance.items[item].signature.preferred_nodes or instance.capacity_points[item])

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """Independent of what else is placed."""
        return placement_cost(packing.instance, item, node)

    def total(self, packing: Packing) -> int:
        """Pods times their cost."""
        return sum(
            count * placement_cost(packing.instance, item, node)
            for item, slots in enumerate(packing.slots)
            for node, count in slots.items()
        )

    def model(self, variables: PackingVariables) -> list[Expression]:
        """One linear expression."""
        costs = {
            (item, node): placement_cost(variables.instance, item, node)
            for node in variables.nodes()
            for item in variables.items_on(node)
        }
        return [variables.weighted(costs)]
