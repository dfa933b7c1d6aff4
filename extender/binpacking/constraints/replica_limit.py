"""Replicas of a service per node and per spot pool: what is lost at once is a bounded part of it."""

from __future__ import annotations

from collections import defaultdict

from extender.binpacking.replica_limits import LimitRule
from extender.binpacking.variables import PackingVariables


class ReplicaLimits:
    """Forbids a domain with a pod that asks for a limit more pods of its service than the limit.

    Stricter than one pod at a time where revisions of a service ask for different limits: it then holds in every order.
    """

    def add(self, variables: PackingVariables) -> None:
        """One inequality for every rule and domain that could exceed it."""
        for rule in variables.instance.limits:
            self._limit(variables, rule)

    @staticmethod
    def _limit(variables: PackingVariables, rule: LimitRule) -> None:
        bins: dict[str, set[int]] = defaultdict(set)
        for item in rule.counted:
            for node in variables.candidates.bins[item]:
                domain = rule.domains[node]
                if domain is not None:
                    bins[domain].add(node)
        others = rule.counted - rule.items
        for domain, nodes in sorted(bins.items()):
            room = rule.most - rule.standing.get(domain, 0)
            total = variables.total(sorted(rule.counted), sorted(nodes))
            if not others:
                variables.model.add(total <= max(0, room))
                continue
            for item in sorted(rule.items):
                present = variables.present(item, nodes)
                variables.model.add(total <= room).only_enforce_if(present)
