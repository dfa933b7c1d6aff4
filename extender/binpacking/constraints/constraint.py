"""What a constraint is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from extender.binpacking.variables import PackingVariables


class Constraint(Protocol):
    """A rule that every packing obeys."""

    def add(self, variables: PackingVariables) -> None:
        """Add the rule to the model."""


def by_domain(variables: PackingVariables, key: str, items: Iterable[int]) -> dict[str, list[int]]:
    """Candidate bins of the items by their value of a topology key; bins without the key are in no domain."""
    domains: dict[str, list[int]] = defaultdict(list)
    for node in sorted({node for item in items for node in variables.candidates.bins[item]}):
        value = variables.instance.domain(node, key)
        if value is not None:
            domains[value].append(node)
    return domains
