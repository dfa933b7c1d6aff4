"""Required affinity: a pod needs company in its domain.

Stricter than kube-scheduler where that keeps the end state reachable in any order: company that is itself placed by this plan must not wait
for company in turn, and a group that selects itself and has no member anywhere yet is kept in one domain.
"""

from __future__ import annotations

from extender.binpacking.constraints.constraint import by_domain
from extender.binpacking.topology import AffinityRule
from extender.binpacking.variables import PackingVariables


class RequiredAffinity:
    """Forbids a pod in a domain where nothing matches all its terms."""

    def add(self, variables: PackingVariables) -> None:
        """Join standing pods, else found one domain (self-matching), else follow pods placed by the plan."""
        for rule in variables.instance.affinities.values():
            if rule.standing:
                self._join(variables, rule)
            elif rule.item in rule.matching:
                self._found(variables, rule)
            else:
                self._follow(variables, rule)

    @staticmethod
    def _join(variables: PackingVariables, rule: AffinityRule) -> None:
        for node in variables.candidates.bins[rule.item]:
            labels = variables.instance.bins[node].node.labels
            if not all(rule.standing.get((key, labels[key])) for key in rule.keys):
                variables.model.add(variables.count(rule.item, node) == 0)

    @staticmethod
    def _found(variables: PackingVariables, rule: AffinityRule) -> None:
        members = [item for item in sorted(rule.matching) if item in variables.instance.affinities]
        for key in rule.keys:
            domains = by_domain(variables, key, members)
            home = {value: variables.model.new_bool_var(f"home_{rule.item}_{key}_{value}") for value in domains}
            variables.model.add_at_most_one(home.values())
            for item in members:
                for node in variables.candidates.bins[item]:
                    value = variables.instance.domain(node, key)
                    most = 0 if value is None else variables.most(item, node) * home[value]
                    variables.model.add(variables.count(item, node) <= most)

    @staticmethod
    def _follow(variables: PackingVariables, rule: AffinityRule) -> None:
        leaders = [item for item in sorted(rule.matching) if item not in variables.instance.affinities]
        for key in rule.keys:
            for nodes in by_domain(variables, key, (rule.item, *leaders)).values():
                present = variables.present(rule.item, nodes)
                variables.model.add(variables.total(leaders, nodes) >= present)
