"""What a soft term is: the same integer cost three times, for a packing, for one more pod, and for the model."""

from __future__ import annotations

from typing import Final, Protocol

from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance
from extender.binpacking.variables import Expression, PackingVariables

PREFERENCE: Final = 10
"""Weight of one point (of 100) of an unmet preference, and of a soft taint taken for one point each."""


_DEFAULT_LATENCY_WEIGHT: Final = 10
"""Of pods without a class."""


def latency_weight(instance: Instance, item: int) -> int:
    """Weight of a permille of latency for an item's class."""
    own = instance.classes.get(instance.items[item].class_name)
    return own.scheduling.weights.latency if own else _DEFAULT_LATENCY_WEIGHT


class SoftTerm(Protocol):
    """A cost of placements in permille of a node's CPU above its bound times a class weight of 0 to 100, or what is held equal to that."""

    name: str
    """In explanations and metrics."""

    def concerns(self, instance: Instance, item: int) -> bool:
        """Whether the term can tell one bin from another for an item."""

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """About what one more pod of an item on a bin adds. The greedy packer compares by it."""

    def total(self, packing: Packing) -> int:
        """What the placements of a packing add. Only differences between packings of one instance mean anything."""

    def model(self, variables: PackingVariables) -> list[Expression]:
        """Expressions whose least sum is `total`, up to a constant of the instance."""
