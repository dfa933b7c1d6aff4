"""Preferred pod (anti-)affinity."""

from __future__ import annotations

from extender.binpacking.company import CompanyRule
from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance
from extender.binpacking.soft.term import PREFERENCE
from extender.binpacking.variables import Expression, PackingVariables


class Company:
    """The sum over preferred terms of the pods that go without what they prefer, times the term's weight."""

    name = "company"

    def concerns(self, instance: Instance, item: int) -> bool:
        """Items with a preferred term."""
        return bool(instance.items[item].signature.preferred_affinity)

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """What the pod itself would go without, as kube-scheduler would see it now."""
        total = 0
        for rule in packing.instance.companies:
            if rule.item == item:
                domain = packing.instance.domain(node, rule.key)
                own, others = _here(packing, rule, domain)
                total += _weight(rule) * (rule.unmet(domain, own + 1, others) - rule.unmet(domain, own, others))
        return total

    def total(self, packing: Packing) -> int:
        """Rule by rule and domain by domain."""
        return sum(_weight(rule) * _unmet(packing, rule) for rule in packing.instance.companies)

    def model(self, variables: PackingVariables) -> list[Expression]:
        """One variable per rule and domain."""
        return [
            _weight(rule) * unmet
            for index, rule in enumerate(variables.instance.companies)
            for unmet in _variables(variables, rule, index)
        ]


def _weight(rule: CompanyRule) -> int:
    return PREFERENCE * abs(rule.weight)


def _here(packing: Packing, rule: CompanyRule, domain: str | None) -> tuple[int, int]:
    if domain is None:
        return 0, 0
    others = sum(packing.in_domain(rule.key, other)[domain] for other in rule.others)
    return packing.in_domain(rule.key, rule.item)[domain], others


def _unmet(packing: Packing, rule: CompanyRule) -> int:
    by_domain = packing.in_domain(rule.key, rule.item)
    homeless = packing.placed(rule.item) - by_domain.total()
    return rule.unmet(None, homeless, 0) + sum(
        rule.unmet(domain, *_here(packing, rule, domain)) for domain in list(by_domain)
    )


def _variables(variables: PackingVariables, rule: CompanyRule, index: int) -> list[Expression]:
    bins: dict[str | None, list[int]] = {}
    for node in variables.candidates.bins[rule.item]:
        bins.setdefault(variables.instance.domain(node, rule.key), []).append(node)
    terms: list[Expression] = []
    for position, (domain, nodes) in enumerate(sorted(bins.items(), key=lambda entry: entry[0] or "")):
        pods = variables.total((rule.item,), nodes)
        if domain is None:
            terms += [pods] if rule.weight > 0 else []
        elif rule.standing.get(domain, 0) > 0:
            terms += [] if rule.weight > 0 else [pods]
        else:
            name = f"company_{index}_{position}"
            likes = rule.weight > 0
            terms.append(_liked(variables, rule, domain, name) if likes else _avoided(variables, rule, domain, name))
    return terms


def _places(variables: PackingVariables, rule: CompanyRule, domain: str, item: int) -> list[int]:
    return [n for n in variables.candidates.bins[item] if variables.instance.domain(n, rule.key) == domain]


def _liked(variables: PackingVariables, rule: CompanyRule, domain: str, name: str) -> Expression:
    """Pods without the company they like: all of them, or the first one where they like each other, unless others come."""
    model, nodes = variables.model, _places(variables, rule, domain, rule.item)
    most = variables.instance.items[rule.item].count
    accompanied = model.new_bool_var(f"{name}_with")
    others = [variables.total((other,), _places(variables, rule, domain, other)) for other in rule.others]
    model.add(sum(others) >= accompanied)
    unmet = model.new_int_var(0, most, name)
    if rule.item in rule.matching:
        model.add(unmet >= variables.present(rule.item, nodes) - accompanied)
    else:
        model.add(unmet >= variables.total((rule.item,), nodes) - most * accompanied)
    return unmet


def _avoided(variables: PackingVariables, rule: CompanyRule, domain: str, name: str) -> Expression:
    """Pods with company that they avoid: all of them where others come, else those after the first where they avoid each other."""
    model, nodes = variables.model, _places(variables, rule, domain, rule.item)
    most = variables.instance.items[rule.item].count
    pods = variables.total((rule.item,), nodes)
    unmet = model.new_int_var(0, most, name)
    if rule.item in rule.matching:
        model.add(unmet >= pods - 1)
    for other in rule.others:
        present = variables.present(other, _places(variables, rule, domain, other))
        model.add(unmet >= pods - most * (1 - present))
    return unmet
