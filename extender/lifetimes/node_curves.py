"""When nodes will be empty: by node the chance that all its pods have left `t` seconds from now, for the middles of the bins of time.

Pods of one owner tend to end together, so of each owner only the pod that is expected to stay longest counts, and different owners are
taken as independent. A pod with the survival `s` keeps its node in use for `sum(s[t] * gone[t] * dt)` seconds more: all the time it is
expected to stay where the node is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extender.lifetimes.standing import Floats, Ints
from extender.lifetimes.survival import BINS, WIDTHS

Curve = NDArray[np.float32]
"""The chance to stand in each bin of the time ahead. Half the size of doubles: a cluster has one for each owner on each node."""
_AT_ONCE: Final = 2048
"""Groups of pods whose curves are worked on together: bounds the memory of intermediate results."""
_CERTAIN: Final = np.float32(1 - 2**-20)
"""Nothing is more certain than this, so that a node's chance to be empty can be divided by any one owner's part of it."""


class NodeCurves:
    """Nodes by row number. All rows beyond those loaded are empty nodes."""

    def __init__(self) -> None:
        self.gone: Floats = np.ones((64, BINS))
        self._slices: dict[Hashable, tuple[int, int]] = {}
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._curves: Curve = np.zeros((0, BINS), np.float32)
        self._fresh: defaultdict[Hashable, dict[int, Curve]] = defaultdict(dict)
        """Owner -> row -> curve, since the last load."""
        self._fresh_on: defaultdict[int, set[Hashable]] = defaultdict(set)

    def load(self, rows: Ints, owners: Sequence[Hashable | None], survival: Callable[[Ints], Floats]) -> None:
        """The pods that stand are exactly these.

        Args:
            rows: of their nodes.
            owners: of the same pods; None for one that will never have company: it counts for its node, and no curve of it is kept.
            survival: the curves of some of them, by position in these lists; asked for a part at a time.
        """
        numbers: dict[Hashable, int] = {}
        given = (-1 if owner is None else numbers.setdefault(owner, len(numbers)) for owner in owners)
        codes = np.fromiter(given, np.int64, len(rows))
        alone = np.flatnonzero(codes < 0)
        codes[alone] = len(numbers) + np.arange(len(alone))
        self._start(int(rows.max(initial=-1)) + 1)
        if not len(rows):
            return
        order = np.lexsort((rows, codes))
        rows, codes = rows[order], codes[order]
        first = np.flatnonzero(np.append(True, (np.diff(rows) != 0) | (np.diff(codes) != 0)))
        self._rows, self._curves, codes = rows[first], _longest(order, first, survival), codes[first]
        bounds = np.searchsorted(codes, np.arange(len(numbers) + 1))
        self._slices = {owner: (int(bounds[n]), int(bounds[n + 1])) for owner, n in numbers.items()}
        by_row = np.argsort(self._rows, kind="stable")
        present, begins = np.unique(self._rows[by_row], return_index=True)
        ends = np.append(begins[1:], len(by_row))
        for some in _parts(len(present)):
            part = by_row[begins[some.start] : ends[some.stop - 1]]
            left = 1.0 - self._curves[part].astype(np.float64)
            self.gone[present[some]] = np.multiply.reduceat(left, begins[some] - begins[some.start], 0)
        if len(alone):  # the last ones, by their codes
            self._rows, self._curves = self._rows[: bounds[-1]].copy(), self._curves[: bounds[-1]].copy()

    def place(self, row: int, owner: Hashable, curve: Floats) -> None:
        """One pod more stands on a node."""
        self._reach(row)
        new = np.minimum(curve, _CERTAIN).astype(np.float32)
        old = self._of(owner, row)
        if old is not None:
            new = np.maximum(old, new)
            self.gone[row] /= 1.0 - old.astype(np.float64)
        self.gone[row] *= 1.0 - new.astype(np.float64)
        self._fresh[owner][row] = new
        self._fresh_on[row].add(owner)

    def clear(self, row: int) -> None:
        """No pod stands on a node any more."""
        if row >= len(self.gone):
            return
        self.gone[row] = 1
        self._rows[self._rows == row] = -1
        for owner in self._fresh_on.pop(row, ()):
            del self._fresh[owner][row]

    def seconds_added(self, owner: Hashable, curve: Floats, rows: Ints) -> Floats:
        """Expected seconds for which each of some nodes (rows, ascending) would be in use for one more pod alone."""
        if len(rows):
            self._reach(int(rows[-1]))
        stays = curve * WIDTHS
        # copying most of the rows costs more than multiplying all of them
        added: Floats = (self.gone @ stays)[rows] if 2 * len(rows) > len(self.gone) else self.gone[rows] @ stays
        for row, sibling in self.siblings(owner).items():
            position = int(np.searchsorted(rows, row))
            if position < len(rows) and rows[position] == row:
                there = sibling.astype(np.float64)
                longer = np.maximum(curve - there, 0) * WIDTHS
                added[position] = (longer * self.gone[row] / (1.0 - there)).sum()
        return added

    def seconds_left(self, rows: Ints) -> Floats:
        """Expected seconds until the last pod of each node has left."""
        if len(rows):
            self._reach(int(rows.max()))
        left: Floats = (1 - self.gone[rows]) @ WIDTHS
        return left

    def renumber(self, rows: Ints, size: int) -> None:
        """Give the node in each row another row (-1: the node is gone), out of `size`."""
        gone = np.ones((max(size, 1), BINS))
        known = np.flatnonzero(rows >= 0)
        gone[rows[known]] = self.gone[known]
        self.gone = gone
        self._rows = np.where(self._rows >= 0, rows[self._rows], -1)

    def siblings(self, owner: Hashable) -> dict[int, Curve]:
        """Row -> survival of the longest of an owner's pods there."""
        begin, end = self._slices.get(owner, (0, 0))
        found = {int(self._rows[n]): self._curves[n] for n in range(begin, end) if self._rows[n] >= 0}
        fresh = self._fresh.get(owner)
        return {**found, **fresh} if fresh else found

    def _of(self, owner: Hashable, row: int) -> Curve | None:
        fresh = self._fresh.get(owner)
        if fresh is not None and row in fresh:
            return fresh[row]
        begin, end = self._slices.get(owner, (0, 0))
        hits = np.flatnonzero(self._rows[begin:end] == row)
        return self._curves[begin + int(hits[0])] if len(hits) else None

    def _start(self, size: int) -> None:
        self.gone = np.ones((max(size, len(self.gone)), BINS))
        self._slices, self._rows = {}, np.zeros(0, np.int64)
        self._curves = np.zeros((0, BINS), np.float32)
        self._fresh.clear()
        self._fresh_on.clear()

    def _reach(self, row: int) -> None:
        if row >= len(self.gone):
            more = np.ones((max(row + 1, 2 * len(self.gone)) - len(self.gone), BINS))
            self.gone = np.concatenate([self.gone, more])


def _longest(order: Ints, first: Ints, survival: Callable[[Ints], Floats]) -> Curve:
    """The largest chance in each bin of time, by group: those of `order` from one entry of `first` to the next."""
    longest = np.empty((len(first), BINS), np.float32)
    ends = np.append(first[1:], len(order))
    for some in _parts(len(first)):
        curves = survival(order[first[some.start] : ends[some.stop - 1]])
        most = np.maximum.reduceat(curves, first[some] - first[some.start], 0)
        longest[some] = np.minimum(most, _CERTAIN)
    return longest


def _parts(count: int) -> Iterator[slice]:
    for begin in range(0, count, _AT_ONCE):
        yield slice(begin, min(begin + _AT_ONCE, count))
