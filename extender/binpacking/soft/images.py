"""Start latency: pods whose images are not on the node wait for them."""

from __future__ import annotations

from extender.binpacking.feasibility import Packing
from extender.binpacking.images import missing_points
from extender.binpacking.instance import Instance
from extender.binpacking.soft.term import latency_weight
from extender.binpacking.variables import Expression, PackingVariables


class Images:
    """The sum over pods of the points of their missing images, times the latency weight of their class."""

    name = "images"

    def concerns(self, instance: Instance, item: int) -> bool:
        """Items of which some image is on some node, with a class that weighs latency."""
        known = any(name in instance.image_sizes for name in instance.items[item].signature.images)
        return known and latency_weight(instance, item) > 0

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """Independent of what else is placed: pods of one plan arrive at about the same time, so each waits."""
        return _cost(packing.instance, item, node)

    def total(self, packing: Packing) -> int:
        """Pods times their wait."""
        return sum(
            count * _cost(packing.instance, item, node)
            for item, slots in enumerate(packing.slots)
            for node, count in slots.items()
        )

    def model(self, variables: PackingVariables) -> list[Expression]:
        """One linear expression."""
        if not variables.instance.image_sizes:
            return []
        pairs = ((item, node) for node in variables.nodes() for item in variables.items_on(node))
        costs = {(item, node): _cost(variables.instance, item, node) for item, node in pairs}
        return [variables.weighted({pair: cost for pair, cost in costs.items() if cost})]


def _cost(instance: Instance, item: int, node: int) -> int:
    images = instance.items[item].signature.images
    if not images or not instance.image_sizes:
        return 0
    points = missing_points(images, instance.bins[node].node.images, instance.image_sizes)
    return latency_weight(instance, item) * points
