"""The decision variables of the bin-packer, behind names that mean something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from extender.binpacking.candidates import Candidates
from extender.binpacking.cp_sat import cp_model
from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance

Expression = cp_model.LinearExpr
"""A linear expression over decision variables."""


_ZERO: Final = cp_model.LinearExpr.constant(0)
_ONE: Final = cp_model.LinearExpr.constant(1)


class PackingVariables:
    """How many pods of an item go to a bin, which empty bins are opened, and what follows from it."""

    def __init__(self, instance: Instance, candidates: Candidates) -> None:
        self.instance = instance
        self.candidates = candidates
        self.model = cp_model.CpModel()
        self._count: dict[tuple[int, int], cp_model.IntVar] = {}
        self._most: dict[tuple[int, int], int] = {}
        self._items_on: dict[int, list[int]] = {}
        self._used: dict[int, cp_model.IntVar] = {}
        self._present: dict[tuple[int, frozenset[int]], cp_model.IntVar] = {}
        packing = Packing(instance)
        for item, nodes in enumerate(candidates.bins):
            for node in nodes:
                most = min(instance.items[item].count, packing.room(item, node))
                self._count[item, node] = self.model.new_int_var(0, most, f"count_{item}_{node}")
                self._most[item, node] = most
                self._items_on.setdefault(node, []).append(item)
        self._open_bins()

    def _open_bins(self) -> None:
        for node, items in self._items_on.items():
            if self.instance.bins[node].empty:
                used = self._used[node] = self.model.new_bool_var(f"used_{node}")
                for item in items:
                    self.model.add(self._count[item, node] <= self._most[item, node] * used)
        for group in self.candidates.symmetric:
            for first, second in pairwise(group):
                if first in self._used and second in self._used:
                    self.model.add(self._used[first] >= self._used[second])

    def nodes(self) -> list[int]:
        """All candidate bins."""
        return sorted(self._items_on)

    def items_on(self, node: int) -> list[int]:
        """Items that may go to a bin."""
        return self._items_on.get(node, [])

    def count(self, item: int, node: int) -> Expression:
        """Pods of an item on a bin; zero where the bin is no candidate."""
        return self._count.get((item, node), _ZERO)

    def total(self, items: Iterable[int], nodes: Iterable[int]) -> Expression:
        """Pods of the items on the bins."""
        places = list(nodes)
        found = [self._count[i, n] for i in items for n in places if (i, n) in self._count]
        return cp_model.LinearExpr.sum(found)

    def weighted(self, weights: Mapping[tuple[int, int], int]) -> Expression:
        """Sum of weight times pods over (item, bin); other pairs count nothing."""
        pairs = [pair for pair in weights if pair in self._count]
        return cp_model.LinearExpr.weighted_sum([self._count[p] for p in pairs], [weights[p] for p in pairs])

    def placed(self, item: int) -> Expression:
        """Pods of an item that have a bin."""
        return self.total((item,), self.candidates.bins[item])

    def used(self, node: int) -> Expression:
        """Whether a bin is in use; one for bins that were in use before."""
        return self._used.get(node, _ONE)

    def opened(self) -> dict[int, cp_model.IntVar]:
        """The decision to open, by empty bin."""
        return dict(self._used)

    def most(self, item: int, node: int) -> int:
        """Upper bound of `count`."""
        return self._most.get((item, node), 0)

    def present(self, item: int, nodes: Iterable[int]) -> cp_model.IntVar:
        """A Boolean that is true if any pod of an item is on any of the bins (the converse is not enforced)."""
        places = frozenset(node for node in nodes if (item, node) in self._count)
        known = self._present.get((item, places))
        if known is not None:
            return known
        present = self._present[item, places] = self.model.new_bool_var(f"present_{item}_{len(self._present)}")
        for node in places:
            self.model.add(self._count[item, node] <= self._most[item, node] * present)
        return present

    def fix(self, item: int, node: int, pods: int) -> None:
        """Demand a count (for tests of single constraints)."""
        self.model.add(self.count(item, node) == pods)

    def hint(self, slots: Mapping[int, Mapping[int, int]]) -> None:
        """Start the search from these slots; all other counts are hinted to zero."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]  # OR-Tools ships it without annotations
        busy = {node for nodes in slots.values() for node, pods in nodes.items() if pods}
        for (item, node), variable in self._count.items():
            self.model.add_hint(variable, slots.get(item, {}).get(node, 0))
        for node, used in self._used.items():
            self.model.add_hint(used, node in busy)
        for (item, places), present in self._present.items():
            self.model.add_hint(present, any(slots.get(item, {}).get(node, 0) for node in places))

    def extract(self, solver: cp_model.CpSolver) -> dict[int, dict[int, int]]:
        """The slots of the solver's solution."""
        slots: dict[int, dict[int, int]] = {}
        for (item, node), variable in self._count.items():
            pods = solver.value(variable)
            if pods:
                slots.setdefault(item, {})[node] = pods
        return slots
