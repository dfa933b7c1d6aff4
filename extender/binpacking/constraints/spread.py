"""Hard topology spread (DoNotSchedule)."""

from __future__ import annotations

from collections import defaultdict

from extender.binpacking.topology import SpreadRule
from extender.binpacking.variables import PackingVariables


class HardSpread:
    """Forbids an item in a domain whose matching pods exceed the least filled domain's by more than `maxSkew`.

    Stated for the end state: with pods placed level by level every step is then allowed as well, because the minimum only rises.
    """

    def add(self, variables: PackingVariables) -> None:
        """A minimum per constraint, and an inequality for every domain that gets a pod of the item."""
        for index, rule in enumerate(variables.instance.spreads):
            if rule.constraint.hard:
                self._limit(variables, rule, index)

    @staticmethod
    def _limit(variables: PackingVariables, rule: SpreadRule, index: int) -> None:
        matching = sorted(rule.matching)
        bins: dict[str, set[int]] = defaultdict(set)
        for item in (*matching, rule.item):
            for node in variables.candidates.bins[item]:
                domain = rule.domains[node]
                if domain is not None:
                    bins[domain].add(node)
        totals = {domain: count + variables.total(matching, bins[domain]) for domain, count in rule.standing.items()}
        ceiling = max(rule.standing.values(), default=0) + sum(
            variables.instance.items[item].count for item in matching
        )
        least = variables.model.new_int_var(0, ceiling if rule.enough_domains else 0, f"least_{index}")
        for total in totals.values():
            variables.model.add(least <= total)
        for domain, nodes in bins.items():
            present = variables.present(rule.item, nodes)
            variables.model.add(totals[domain] - least <= rule.constraint.max_skew).only_enforce_if(present)
