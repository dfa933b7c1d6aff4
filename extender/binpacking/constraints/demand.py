"""No more pods are placed than wait."""

from __future__ import annotations

from extender.binpacking.variables import PackingVariables


class Demand:
    """Forbids placing more pods of an item than there are."""

    def add(self, variables: PackingVariables) -> None:
        """One inequality per item."""
        for index, item in enumerate(variables.instance.items):
            variables.model.add(variables.placed(index) <= item.count)
