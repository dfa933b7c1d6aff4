"""Pods by node with what is expected of them: learns from arrivals and departures, renews the nodes' curves now and then.

The one implementation: the planner process feeds it with watch events, the simulator with a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, MutableSequence, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.standing import Floats, Ints, Standing
from extender.lifetimes.survival import (
    BINS,
    EDGES,
    PRIOR_PODS,
    WIDTHS,
    Expectations,
    Lifetimes,
    known_survival,
    survival,
)

REFRESH_S: Final = 60.0
"""Curves are renewed this often: ages grow, departures teach."""


class Occupancy:
    """Times are seconds of any one clock; nodes are rows that the caller numbers; a pod's path (`Lifetimes`) ends with its owner.

    Args:
        prior_pods: of `Lifetimes`.
        standing: of `Lifetimes`.
        on_node: makes an empty list of the pods of one node.
        follow: whether a pod that is placed counts in the curves at once, or with the next renewal only.
    """

    def __init__(
        self,
        prior_pods: Sequence[float] = PRIOR_PODS,
        *,
        standing: Standing | None = None,
        on_node: Callable[[], MutableSequence[Any]] = list,
        follow: bool = True,
    ) -> None:
        self.lifetimes = Lifetimes(prior_pods=prior_pods, standing=standing)
        self._on_node = on_node
        self._follow = follow
        self.curves = NodeCurves()
        self.expectations = Expectations({(): 0}, np.zeros((1, BINS)))
        """As of the last renewal."""
        self.renewed_s: float | None = None
        self._row: NDArray[np.int32] = np.zeros(64, np.int32)
        """Of the pods' nodes, by slot (`Standing`)."""
        self._ends: dict[Hashable, float] = {}
        """When a pod ends at the latest (a deadline). Few have one."""
        self._owner_ends: dict[Hashable, float] = {}
        """The same of all pods of an owner."""
        self._on: dict[int, MutableSequence[Any]] = {}

    @property
    def departed_any(self) -> bool:
        """Whether any pod has ended so far: without one, all stay for ever."""
        return self.lifetimes.departed_any

    def __contains__(self, pod: Hashable) -> bool:
        return pod in self.lifetimes.standing

    def pods(self) -> Collection[Hashable]:
        """All pods that stand."""
        return self.lifetimes.standing.pods()

    def place(
        self, pod: Hashable, path: Sequence[Hashable], row: int, now: float, born: float, ends_s: float | None = None
    ) -> None:
        """A pod that is there since `born` stands on a node; it is seen from now on."""
        self.lifetimes.arrive(pod, path, born, now)
        if ends_s is not None:
            self._ends[pod] = ends_s
        self._stand(pod, path, row, now)

    def depart(self, pod: Hashable, now: float) -> None:
        """The pod has ended. The node keeps its curve until the next renewal, unless it is empty now."""
        row = self._row_of(pod)
        self.lifetimes.depart(pod, now)
        self._ends.pop(pod, None)
        self._leave(row, pod)

    def limit(self, pod: Hashable, life_s: float) -> None:
        """A pod that stands ends at this age at the latest, whatever was said before."""
        standing = self.lifetimes.standing
        self._ends[pod] = float(standing.born()[standing.slot(pod)]) + life_s

    def bound(self, owner: Hashable, ends_s: float | None) -> None:
        """All pods of an owner (the last key of their paths) end then at the latest, or nobody knows."""
        if ends_s is None:
            self._owner_ends.pop(owner, None)
        else:
            self._owner_ends[owner] = ends_s

    def move(self, pod: Hashable, path: Sequence[Hashable], row: int, now: float) -> None:
        """The pod stands elsewhere; it lives on."""
        self._leave(self._row_of(pod), pod)
        self._stand(pod, path, row, now)

    def seconds_added(
        self, path: Sequence[Hashable], rows: Ints, now: float, age: float = 0.0, ends_s: float | None = None
    ) -> Floats:
        """Expected seconds for which each of some nodes (ascending) would be in use for one pod alone."""
        if not self.departed_any:
            return np.array([0.0 if row in self._on else EDGES[-1] for row in rows.tolist()])
        self.renew(now)
        return self.curves.seconds_added(path[-1], self._curve(path, age, ends_s, now), rows)

    def seconds_left(self, rows: Ints, now: float) -> Floats:
        """Expected seconds until the last pod of each node has left."""
        self.renew(now)
        return self.curves.seconds_left(rows)

    def expected_life_s(self, path: Sequence[Hashable], now: float) -> float:
        """How long a pod that comes now is expected to stay, as far as is looked ahead; all of that while no pod has ended."""
        if not self.departed_any:
            return float(EDGES[-1])
        self.renew(now)
        return float(self.expectations.curve(path) @ WIDTHS)

    def survival(self, path: Sequence[Hashable], now: float, age: float = 0.0) -> Floats:
        """The chance of a pod to stand in each bin of the time ahead."""
        self.renew(now)
        return self.expectations.curve(path, age)

    def residents(self, row: int) -> Sequence[Hashable]:
        """The pods on a node."""
        return self._on.get(row, ())

    def renew(self, now: float) -> bool:
        """Make all curves anew, if it is time, or was later when they were made last; whether it was."""
        if self.renewed_s is not None and self.renewed_s <= now < self.renewed_s + REFRESH_S:
            return False
        self.renewed_s = now
        self.expectations = self._learned(now)
        self._load(self.curves, self.expectations, now)
        return True

    def look_ahead(self, now: float) -> tuple[NodeCurves, Expectations]:
        """What a renewal would come to now; nothing here changes."""
        curves, expectations = NodeCurves(), self._learned(now)
        self._load(curves, expectations, now)
        return curves, expectations

    def _learned(self, now: float) -> Expectations:
        rates = self.lifetimes.rates(now)
        return Expectations(self.lifetimes.groups() or {(): 0}, rates)

    def _load(self, curves: NodeCurves, expectations: Expectations, now: float) -> None:
        standing = self.lifetimes.standing
        slots = standing.slots()
        groups, born = standing.groups(slots), standing.born(slots)
        owners = self._owners(groups)
        ends = self._ends_of_all(owners)

        def survival_of(some: Ints) -> Floats:
            """The survival of some pods from now on, one row each."""
            learned = survival(expectations.rates[groups[some]], np.maximum(now - born[some], 0.0))
            return learned if ends is None else learned * known_survival(ends[some] - now)

        curves.load(self._row[slots].astype(np.int64), owners, survival_of)

    def hand_over(self) -> NodeCurves:
        """The curves, to keep; here all nodes look empty until the next renewal."""
        curves, self.curves = self.curves, NodeCurves()
        return curves

    def _owners(self, groups: NDArray[np.int32]) -> list[Hashable | None]:
        """Pods of one owner are expected to end together; one that is its own owner (None) has no company."""
        keys = self.lifetimes.owners()
        return [keys.get(group) for group in groups.tolist()]

    def _ends_of_all(self, owners: Sequence[Hashable | None]) -> Floats | None:
        """When the pods end at the latest (infinity where nobody knows), in the order of `pods`; None where that is known of none."""
        if not self._ends and not self._owner_ends:
            return None
        own = np.array([self._ends.get(pod, np.inf) for pod in self.pods()], np.float64)
        return np.minimum(own, np.array([self._owner_ends.get(owner, np.inf) for owner in owners], np.float64))

    def _ends_at(self, pod: Hashable, owner: Hashable) -> float | None:
        known = [ends for ends in (self._ends.get(pod), self._owner_ends.get(owner)) if ends is not None]
        return min(known, default=None)

    def _row_of(self, pod: Hashable) -> int:
        return int(self._row[self.lifetimes.standing.slot(pod)])

    def _stand(self, pod: Hashable, path: Sequence[Hashable], row: int, now: float) -> None:
        slot = self.lifetimes.standing.slot(pod)
        if slot >= len(self._row):
            self._row = np.resize(self._row, 2 * max(slot, len(self._row)))
        self._row[slot] = row
        if row not in self._on:
            self._on[row] = self._on_node()
        self._on[row].append(pod)
        if self._follow and self.departed_any:
            self.renew(now)
            age = now - float(self.lifetimes.standing.born()[slot])
            self.curves.place(row, path[-1], self._curve(path, age, self._ends_at(pod, path[-1]), now))

    def _curve(self, path: Sequence[Hashable], age: float, ends_s: float | None, now: float) -> Floats:
        return self.expectations.curve(path, age, None if ends_s is None else ends_s - now)

    def _leave(self, row: int, pod: Hashable) -> None:
        self._on[row].remove(pod)
        if not self._on[row]:
            del self._on[row]
            self.curves.clear(row)
