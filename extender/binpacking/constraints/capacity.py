"""The free resources of a bin, pod slots among them."""

from __future__ import annotations

import math
from typing import Final

from extender.binpacking.cp_sat import cp_model
from extender.binpacking.variables import PackingVariables

_LARGEST: Final = 2**40
"""Capacities above this are counted in a coarser unit, so that sums stay far inside int64."""


def unit(amounts: list[int], largest: int) -> int:
    """The unit in which a resource is counted in the model.

    The greatest common divisor of the requests loses nothing; only where the largest capacity would still exceed 2^40 units it is coarser.
    """
    scale = math.gcd(*amounts) or 1
    while largest // scale > _LARGEST:
        scale *= 1024
    return scale


class Capacity:
    """Forbids requesting more of a resource than a bin has free. Requests are rounded up to the unit, capacities down."""

    def add(self, variables: PackingVariables) -> None:
        """One inequality per bin and resource that can run short."""
        items = variables.instance.items
        for name in sorted({name for item in items for name in item.requests}):
            amounts = [item.requests[name] for item in items if name in item.requests]
            largest = max((b.free.get(name, 0) for b in variables.instance.bins), default=0)
            self._limit(variables, name, unit(amounts, largest))

    @staticmethod
    def _limit(variables: PackingVariables, name: str, scale: int) -> None:
        instance = variables.instance
        for node in variables.nodes():
            asking = [item for item in variables.items_on(node) if name in instance.items[item].requests]
            sizes = [-(-instance.items[item].requests[name] // scale) for item in asking]
            capacity = max(0, instance.bins[node].free.get(name, 0)) // scale
            most = sum(size * variables.most(item, node) for item, size in zip(asking, sizes, strict=True))
            if most > capacity:
                load = cp_model.LinearExpr.weighted_sum([variables.count(item, node) for item in asking], sizes)
                variables.model.add(load <= capacity * variables.used(node))
