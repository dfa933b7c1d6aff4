"""All or nothing: pods of a group that are of no use alone."""

from __future__ import annotations

from extender.binpacking.variables import PackingVariables


class AllOrNothing:
    """Forbids some pods of a group without its least number."""

    def add(self, variables: PackingVariables) -> None:
        """One Boolean per group: whether it starts."""
        for index, rule in enumerate(variables.instance.gangs):
            starts = variables.model.new_bool_var(f"gang_{index}")
            placed = [variables.placed(item) for item in sorted(rule.items)]
            variables.model.add(sum(placed) >= rule.needed * starts)
            variables.model.add(sum(placed) <= rule.waiting * starts)
