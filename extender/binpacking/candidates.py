"""Which bins the solver looks at: per item the best nodes in use, and enough empty nodes of each shape.

A reduced model beats the full one inside a second from some thousand nodes on (DCM, VLDB 2023: problems as small as 1/300 without loss).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final

from extender.binpacking.feasibility import Packing, Slots
from extender.binpacking.instance import Instance
from extender.binpacking.prices import total_worth

MOST_OPEN: Final = 20
"""Nodes in use per item."""
MOST_NEW: Final = 8
"""Empty nodes of a shape beyond those that the greedy opened, while there are few shapes."""
_MOST_NEW_IN_ALL: Final = 40
_BUDGET: Final = 4_000
"""Variables x[item, bin]; with more, every item sees fewer nodes."""
_LEAST: Final = 4


@dataclass(frozen=True, slots=True)
class Candidates:
    """The bins of the reduced model."""

    bins: tuple[tuple[int, ...], ...]
    """Item -> bins, sorted."""
    symmetric: tuple[tuple[int, ...], ...]
    """Interchangeable empty bins, in the order in which the solver is to open them."""
    complete: bool
    """Whether nothing was left out, so that what is proven of the model is true of the instance."""


def choose(
    instance: Instance, incumbents: list[Slots], most_open: int = MOST_OPEN, most_new: int = MOST_NEW
) -> Candidates:
    """Reduce an instance; every slot of the incumbents stays representable."""
    packing = Packing(instance)
    each = max(_LEAST, _BUDGET // max(1, len(instance.items)))
    kept: dict[int, set[int]] = defaultdict(set)
    for slots in incumbents:
        for item, nodes in slots.items():
            kept[item].update(nodes)
    groups, whole = _empty_bins(instance, frozenset(chain(*kept.values())), min(most_new, each // 2))
    fresh = frozenset(chain(*groups))
    chosen = []
    for item, eligible in enumerate(instance.eligible):
        in_use = [node for node in eligible if not instance.bins[node].empty]
        best = _best_in_use(packing, item, in_use, min(most_open, each))
        whole = whole and len(best) == len(in_use)
        chosen.append(tuple(sorted(kept[item] | set(best) | (fresh & set(eligible)))))
    return Candidates(tuple(chosen), tuple(group for group in groups if len(group) > 1), whole)


def _best_in_use(packing: Packing, item: int, nodes: list[int], most: int) -> list[int]:
    """The tightest fits, taken in turn from each zone, and more of them while they do not hold all pods of the item."""
    by_domain: dict[tuple[str | None, ...], list[tuple[int, int]]] = defaultdict(list)
    rules = [rule for rule in packing.instance.spreads if rule.item == item and len(rule.standing) <= most]
    for node in nodes:
        domain = tuple(rule.domains[node] for rule in rules)
        by_domain[domain].append((total_worth(packing.free[node]), node))
    turns = zip_longest(*(sorted(entries) for _, entries in sorted(by_domain.items(), key=lambda e: repr(e[0]))))
    chosen: list[int] = []
    room = 0
    for entry in chain(*turns):
        if entry is None:
            continue
        if len(chosen) >= most and (room >= packing.instance.items[item].count or len(chosen) >= 2 * most):
            break
        chosen.append(entry[1])
        room += packing.room(item, entry[1])
    return chosen


def _empty_bins(instance: Instance, kept: frozenset[int], most_new: int) -> tuple[list[tuple[int, ...]], bool]:
    """Empty bins by shape, those that an incumbent opened first; and whether none that could be of use is left out."""
    pods: dict[int, int] = defaultdict(int)
    members: dict[int, list[int]] = defaultdict(list)
    for item, eligible in enumerate(instance.eligible):
        for node in eligible:
            if instance.bins[node].empty:
                if not pods[node]:
                    members[instance.bins[node].group].append(node)
                pods[node] += instance.items[item].count
    groups = []
    whole = True
    most_new = max(1, min(most_new, _MOST_NEW_IN_ALL // max(1, len(members))))
    for _, nodes in sorted(members.items()):
        ordered = sorted(nodes, key=lambda node: (node not in kept, node))
        opened = sum(1 for node in nodes if node in kept)
        useful = min(len(nodes), pods[nodes[0]])
        taken = min(useful, opened + most_new)
        whole = whole and taken == useful
        groups.append(tuple(ordered[: max(taken, opened)]))
    return groups, whole
