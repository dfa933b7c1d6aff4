"""The objective, stage by stage. Each stage may only choose among what is best for all stages before it."""

from __future__ import annotations

from collections import defaultdict

from ortools.sat.python import cp_model

from extender.binpacking import discomfort
from extender.binpacking.feasibility import Packing
from extender.binpacking.first_fit_decreasing import Slots
from extender.binpacking.instance import Instance
from extender.binpacking.topology import SpreadRule
from extender.binpacking.variables import Expression, PackingVariables

_MOST_WEIGHT = 2**40
Objective = tuple[tuple[int, ...], int, int, int]
"""(unplaced by descending priority, micro-dollars an hour of opened nodes, discomfort, slots given up), compared in order."""


def score(packing: Packing, previous: Slots) -> Objective:
    """The objective of a packing, to be compared in order."""
    instance = packing.instance
    by_priority: dict[int, int] = defaultdict(int)
    for item in range(len(instance.items)):
        by_priority[-instance.priority(item)] += packing.left(item)
    cost = sum(instance.bins[node].price for node in packing.opened)
    given_up = sum(
        max(0, count - packing.slots[item].get(node, 0))
        for item, nodes in previous.items()
        for node, count in nodes.items()
    )
    return (tuple(n for _, n in sorted(by_priority.items())), cost, discomfort.discomfort(packing), given_up)


def unplaced(variables: PackingVariables) -> Expression:
    """Pods without a bin, weighted so that one of a higher priority outweighs all of lower ones together (up to 2^40)."""
    items = variables.instance.items
    weights = priority_weights(variables.instance)
    return cp_model.LinearExpr.sum(
        [weights[item.signature.priority] * (item.count - variables.placed(index)) for index, item in enumerate(items)]
    )


def priority_weights(instance: Instance) -> dict[int, int]:
    """Priority -> weight of one unplaced pod: more than all pods of lower priorities together."""
    waiting: dict[int, int] = defaultdict(int)
    for item in instance.items:
        waiting[item.signature.priority] += item.count
    weights: dict[int, int] = {}
    below = 0
    for priority in sorted(waiting):
        weights[priority] = min(below + 1, _MOST_WEIGHT)
        below += weights[priority] * waiting[priority]
    return weights


def opening_cost(variables: PackingVariables) -> Expression:
    """Micro-dollars an hour of the empty bins that are opened."""
    opened = variables.opened()
    return cp_model.LinearExpr.weighted_sum(
        list(opened.values()), [variables.instance.bins[node].price for node in opened]
    )


def headroom(variables: PackingVariables) -> Expression:
    """`discomfort.discomfort` of the solution, up to a constant: convex load, unmet preferences, soft spread."""
    instance = variables.instance
    preferences = {
        (item, node): discomfort.placement_cost(instance, item, node)
        for node in variables.nodes()
        for item in variables.items_on(node)
    }
    terms = [variables.weighted(preferences)]
    weights = discomfort.load_weights(instance)
    terms += [term for node in variables.nodes() for term in _load(variables, node, weights)]
    soft = [rule for rule in instance.spreads if not rule.constraint.hard]
    terms += [term for index, rule in enumerate(soft) for term in _spread(variables, rule, index)]
    return cp_model.LinearExpr.sum(terms)


def _load(variables: PackingVariables, node: int, weights: dict[str, tuple[int, int]]) -> list[Expression]:
    instance, model = variables.instance, variables.model
    place = instance.bins[node]
    capacity = place.node.allocatable.get("cpu", 0)
    asking = {(item, node): instance.items[item].requests.get("cpu", 0) for item in variables.items_on(node)}
    residents = discomfort.resident_classes(place)
    classes = {instance.items[item].class_name for item, _ in asking} | residents
    fullest = max(discomfort.PERMILLE, discomfort.load_permille(place, 0))
    if capacity <= 0 or not classes & weights.keys():
        return []
    load = model.new_int_var(0, fullest, f"load_{node}")
    used = place.info.used.get("cpu", 0)
    model.add(load * capacity >= discomfort.PERMILLE * (used + variables.weighted(asking)))
    terms: list[Expression] = []
    for name in sorted(classes & weights.keys()):
        bound, weight = weights[name]
        here: Expression = (
            cp_model.LinearExpr.constant(1) if name in residents else _class_present(variables, node, name)
        )
        for threshold, slope in ((bound, weight), (discomfort.knee(bound), weight * discomfort.STEEP)):
            over = model.new_int_var(0, fullest, f"over_{node}_{name}_{threshold}")
            model.add(over >= load - threshold - fullest * (1 - here))
            terms.append(slope * over)
    return terms


def _class_present(variables: PackingVariables, node: int, name: str) -> cp_model.IntVar:
    present = variables.model.new_bool_var(f"class_{name}_{node}")
    for item in variables.items_on(node):
        if variables.instance.items[item].class_name == name:
            variables.model.add(variables.count(item, node) <= variables.most(item, node) * present)
    return present


def _spread(variables: PackingVariables, rule: SpreadRule, index: int) -> list[Expression]:
    bins: dict[str, set[int]] = defaultdict(set)
    for item in rule.matching:
        for node in variables.candidates.bins[item]:
            domain = rule.domains[node]
            if domain is not None:
                bins[domain].add(node)
    share = discomfort.even_share(variables.instance, rule)
    weight = discomfort.spread_weight(variables.instance, rule.item)
    ceiling = max(rule.standing.values(), default=0) + sum(variables.instance.items[i].count for i in rule.matching)
    terms: list[Expression] = []
    for position, (domain, nodes) in enumerate(sorted(bins.items())):
        over = variables.model.new_int_var(0, ceiling, f"uneven_{index}_{position}")
        variables.model.add(over >= rule.standing[domain] + variables.total(sorted(rule.matching), nodes) - share)
        terms.append(weight * over)
    return terms


def given_up(variables: PackingVariables, previous: Slots) -> Expression:
    """Slots of the last plan that this one does not keep."""
    terms: list[Expression] = []
    for item, nodes in sorted(previous.items()):
        for node, count in sorted(nodes.items()):
            most = min(count, variables.most(item, node))
            if most:
                kept = variables.model.new_int_var(0, most, f"kept_{item}_{node}")
                variables.model.add(kept <= variables.count(item, node))
                terms.append(most - kept)
    return cp_model.LinearExpr.sum(terms)
