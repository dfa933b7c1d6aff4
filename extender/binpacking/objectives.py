"""The objective, stage by stage. Each stage may only choose among what is best for all stages before it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from extender.binpacking import discomfort
from extender.binpacking.cp_sat import cp_model
from extender.binpacking.feasibility import Packing, Slots
from extender.binpacking.instance import Instance
from extender.binpacking.soft import SOFT_TERMS
from extender.binpacking.variables import Expression, PackingVariables

_MOST_WEIGHT = 2**40
Objective = tuple[tuple[int, ...], int, int, int]
"""(unplaced by descending priority, micro-dollars an hour of opened nodes, discomfort, slots given up), compared in order."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much more than the least price may be spent on the soft terms: an epsilon constraint, so that the least price stays proven.

    Args:
        standing: micro-dollars an hour of the nodes in use.
        permille: of those and the opened ones together.
    """

    standing: int = 0
    permille: int = 0

    def allowance(self, opened: int) -> int:
        """Micro-dollars an hour beyond the least price of opened nodes."""
        return (self.standing + opened) * self.permille // 1000

    def prefers(self, one: Objective, other: Objective) -> bool:
        """Whether one packing is better: prices within the allowance of the lower one are equal before the soft terms."""
        (left, one_cost, *one_rest), (left_too, other_cost, *other_rest) = one, other
        least = min(one_cost, other_cost)
        ceiling = least + self.allowance(least)
        first = (left, max(one_cost, ceiling), one_rest[0], one_cost, one_rest[1])
        return first < (left_too, max(other_cost, ceiling), other_rest[0], other_cost, other_rest[1])


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
    """`discomfort.discomfort` of the solution, up to a constant."""
    return cp_model.LinearExpr.sum([expression for term in SOFT_TERMS for expression in term.model(variables)])


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
