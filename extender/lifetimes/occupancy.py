"""Pods by node with what is expected of them: learns from arrivals and departures, renews the nodes' curves now and then.

The one implementation: the planner process feeds it with watch events, the simulator with a trace.
"""

from __future__ import annotations

from collections.abc import Hashable, KeysView, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.survival import (
    BINS,
    EDGES,
    WIDTHS,
    Expectations,
    Floats,
    Ints,
    Lifetimes,
    known_survival,
    survival,
)

REFRESH_S: Final = 60.0
"""Curves are renewed this often: ages grow, departures teach."""
_EARLY_WEIGHT: Final = 0.1
"""With true departures, a pod that ends long before its node is charged a tenth of that time: the place is better given to one that
ends later. Learned lifetimes are too wide for it (measured: it costs more than it saves)."""
_AT_ONCE: Final = 4096
"""Pods whose curves are computed together: bounds the memory of intermediate results."""


@dataclass(slots=True)
class Stay:
    """A pod that is there."""

    owner: Hashable
    """Pods of one owner are expected to end together."""
    row: int
    """Of its node."""
    ends_s: float | None = None
    """When it ends at the latest (a deadline); with true lifetimes, when it ends."""


class Occupancy:
    """Times are seconds of any one clock; nodes are rows that the caller numbers; a pod's path (`Lifetimes`) ends with its owner.

    Args:
        oracle: pods end when their `ends_s` says: nothing is learned.
    """

    def __init__(self, *, oracle: bool = False) -> None:
        self.lifetimes = Lifetimes()
        self.curves = NodeCurves()
        self.expectations = Expectations({(): 0}, np.zeros((1, BINS)))
        """As of the last renewal."""
        self.renewed_s: float | None = None
        self._oracle = oracle
        self._stays: dict[Hashable, Stay] = {}
        self._on: dict[int, set[Hashable]] = {}

    @property
    def departed_any(self) -> bool:
        """Whether any pod has ended so far: without one, all stay for ever."""
        return self._oracle or self.lifetimes.departed_any

    def __contains__(self, pod: Hashable) -> bool:
        return pod in self._stays

    def pods(self) -> KeysView[Hashable]:
        """All pods that stand."""
        return self._stays.keys()

    def place(
        self, pod: Hashable, path: Sequence[Hashable], row: int, now: float, born: float, ends_s: float | None = None
    ) -> None:
        """A pod that is there since `born` stands on a node; it is seen from now on."""
        self._stays[pod] = Stay(path[-1], row, ends_s)
        self.lifetimes.arrive(pod, path, born, now)
        self._stand(pod, path, now)

    def depart(self, pod: Hashable, now: float) -> None:
        """The pod has ended. The node keeps its curve until the next renewal, unless it is empty now."""
        self.lifetimes.depart(pod, now)
        self._leave(self._stays.pop(pod).row, pod)

    def move(self, pod: Hashable, path: Sequence[Hashable], row: int, now: float) -> None:
        """The pod stands elsewhere; it lives on."""
        self._leave(self._stays[pod].row, pod)
        self._stays[pod].row = row
        self._stand(pod, path, now)

    def seconds_added(
        self, path: Sequence[Hashable], rows: Ints, now: float, age: float = 0.0, ends_s: float | None = None
    ) -> Floats:
        """Expected seconds for which each of some nodes (ascending) would be in use for one pod alone."""
        if not self.departed_any:
            return np.array([0.0 if row in self._on else EDGES[-1] for row in rows.tolist()])
        self.renew(now)
        curve = self._curve(path, age, ends_s, now)
        added = self.curves.seconds_added(path[-1], curve, rows)
        if self._oracle:
            added += _EARLY_WEIGHT * ((1 - self.curves.gone[rows]) @ ((1 - curve) * WIDTHS))
        return added

    def seconds_left(self, rows: Ints, now: float) -> Floats:
        """Expected seconds until the last pod of each node has left."""
        self.renew(now)
        return self.curves.seconds_left(rows)

    def residents(self, row: int) -> set[Hashable]:
        """The pods on a node."""
        return self._on.get(row, set())

    def renew(self, now: float) -> bool:
        """Make all curves anew, if it is time; whether it was."""
        if self.renewed_s is not None and now < self.renewed_s + REFRESH_S:
            return False
        self.renewed_s = now
        rates = self.lifetimes.rates(now)
        self.expectations = Expectations(self.lifetimes.groups() or {(): 0}, rates)
        rows = np.array([stay.row for stay in self._stays.values()], np.int64)
        self.curves.load(rows, [stay.owner for stay in self._stays.values()], self._survival(list(self._stays), now))
        return True

    def _stand(self, pod: Hashable, path: Sequence[Hashable], now: float) -> None:
        stay = self._stays[pod]
        self._on.setdefault(stay.row, set()).add(pod)
        if self.departed_any:
            self.renew(now)
            self.curves.place(stay.row, stay.owner, self._curve(path, now - self.lifetimes.born(pod), stay.ends_s, now))

    def _curve(self, path: Sequence[Hashable], age: float, ends_s: float | None, now: float) -> Floats:
        if self._oracle:
            known: Floats = known_survival(np.array([EDGES[-1] if ends_s is None else ends_s - now]))[0]
            return known
        return self.expectations.curve(path, age, None if ends_s is None else ends_s - now)

    def _survival(self, pods: Sequence[Hashable], now: float) -> Floats:
        """The survival of some pods from now on, one row each."""
        curves = np.zeros((len(pods), BINS))
        for begin in range(0, len(pods), _AT_ONCE):
            curves[begin : begin + _AT_ONCE] = self._survival_of_few(pods[begin : begin + _AT_ONCE], now)
        return curves

    def _survival_of_few(self, pods: Sequence[Hashable], now: float) -> Floats:
        ends = [self._stays[pod].ends_s for pod in pods]
        left = np.array([EDGES[-1] if end is None else end - now for end in ends], np.float64)
        if self._oracle:
            return known_survival(left)
        groups = np.array([self.lifetimes.group(pod) for pod in pods], np.int64)
        ages = np.array([max(0.0, now - self.lifetimes.born(pod)) for pod in pods], np.float64)
        learned = survival(self.expectations.rates[groups], ages)
        return learned * known_survival(left) if any(end is not None for end in ends) else learned

    def _leave(self, row: int, pod: Hashable) -> None:
        self._on[row].discard(pod)
        if not self._on[row]:
            del self._on[row]
            self.curves.clear(row)
