"""How much longer pods will stay: survival curves learned from pods that came before, of the same owner where there are any.

Ages are cut into bins. In each bin a group of pods has departures `d` among `n` pods at risk (one that still stands in the bin counts by
the part of it that it has passed). The hazard is `(d + k * h) / (n + k)`: the Kaplan-Meier estimate, drawn to the hazard `h` of the group
above (all pods < shape < family < owner) as if that had been seen on `k` pods. Pods that still stand count as at risk, so that nothing but
the past is used. The survival of a pod of age `a` over the next `t` seconds is `exp(-(H(a + t) - H(a)))`, with `H` the integral of its
rate.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

import numpy as np

from extender.lifetimes.batch_size import BatchSize
from extender.lifetimes.standing import Floats, Standing

EDGES: Final[Floats] = np.array(
    [0, 30, 60, 120, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 64_800, 86_400,
     129_600, 172_800, 259_200], np.float64
)  # fmt: skip
"""Bounds of the bins in seconds, of ages as well as of the time ahead: fine where most pods end, three days in all."""
WIDTHS: Final[Floats] = np.diff(EDGES)
BINS: Final = len(WIDTHS)
_MIDDLES: Final[Floats] = (EDGES[1:] + EDGES[:-1]) / 2
PRIOR_PODS: Final = (1.0, 8.0, 0.5)
"""How many pods at risk the group above is worth: to the first group, to a shape, to an owner."""
_PRIOR_PODS_OF_SIZE: Final = 20.0
"""The same to the pods of a shape that came in batches of one size (`BatchSize`)."""
_LARGEST_HAZARD: Final = 0.99
"""Keeps logarithms finite."""
_PRIOR_LIFE_S: Final = 14_400.0
"""Mean life before anything was seen."""
_MOST_KEPT: Final = 10_000
"""Curves kept by group and age."""
MOST_GROUPS: Final = 20_000
"""Groups remembered: some 8 MB of counts. Beyond it those whose last pod ended longest ago are forgotten."""
_AT_ONCE: Final = 8192
"""Pods whose ages are cut into bins together: bounds the memory of intermediate results."""


class Lifetimes:
    """Counts by group, and the pods that stand. A group is a path of keys, from all pods down to one owner.

    Args:
        most_groups: groups remembered; those of pods that stand are never forgotten.
        prior_pods: by level of the path, how many pods at risk the group above is worth; the last one for all levels below. The size of
            a batch is no level of its own: what is below it counts as if it were not there.
        standing: keeps the pods that stand.
    """

    def __init__(
        self,
        most_groups: int = MOST_GROUPS,
        prior_pods: Sequence[float] = PRIOR_PODS,
        standing: Standing | None = None,
    ) -> None:
        self.departed_any = False
        self._most_groups = most_groups
        self._prior_pods = tuple(prior_pods)
        self._rows: dict[tuple[Hashable, ...], int] = {}
        self._unsized: dict[tuple[Hashable, ...], int] = {}
        """Paths without the size of the batch -> the group of those with it whose pods came last."""
        self._departures = np.zeros((64, BINS))
        self._exposure = np.zeros((64, BINS))
        self._parent: list[int] = []
        self._level: list[int] = []
        self._prior: list[float] = []
        """By group, how many pods at risk the one above is worth."""
        self._seen: list[float] = []
        """By group, when a pod of it came or went last."""
        self.standing = Standing() if standing is None else standing  # an empty one is false
        """The pods that are there."""

    def __len__(self) -> int:
        return len(self._parent)

    def arrive(self, pod: Hashable, path: Sequence[Hashable], born: float, seen: float | None = None) -> None:
        """A pod is there since `born`, and seen since `seen` (by default as long).

        It teaches from then on only: of those that were born with it and have ended before, nobody has told us.
        A pod that is its own owner (the last key of its path) will never have company there: it teaches the groups above.
        """
        group = -1
        if path[-1] == pod:
            path = path[:-1]
        for level in range(len(path) + 1):
            group = self._row(tuple(path[:level]), group, level)
            self._seen[group] = max(self._seen[group], born)
            if level > BatchSize.LEVEL and isinstance(path[BatchSize.LEVEL - 1], BatchSize):
                self._unsized[BatchSize.left_out(path[:level])] = group
        self.standing.add(pod, group, born, born if seen is None else max(born, seen))

    def depart(self, pod: Hashable, now: float) -> None:
        """A pod ends by itself; one that is moved does not."""
        group, born, seen = self.standing.remove(pod)
        age = max(1.0, now - born)
        at_risk = np.clip(age - EDGES[:-1], 0, WIDTHS)
        last = min(int(np.searchsorted(EDGES, age)) - 1, BINS - 1)
        at_risk[last] = WIDTHS[last]
        at_risk -= np.clip(seen - born - EDGES[:-1], 0, at_risk)
        while group >= 0:
            self._departures[group, last] += 1
            self._exposure[group] += at_risk
            self._seen[group] = max(self._seen[group], now)
            group = self._parent[group]
        self.departed_any = True

    def forget(self, pod: Hashable) -> None:
        """A pod is gone of which nothing can be learned."""
        self.standing.remove(pod)

    def groups(self) -> dict[tuple[Hashable, ...], int]:
        """Path -> row of `rates`; an owner whose batches have sizes is found without the size as well."""
        return {**self._unsized, **self._rows}

    def owners(self) -> dict[int, Hashable]:
        """The last key of the groups that have one below a shape: whose pods they count."""
        return {row: path[-1] for path, row in self._rows.items() if len(BatchSize.left_out(path)) > 1}

    def rates(self, now: float) -> Floats:
        """Departures a second by group and bin of age, from all that is known at a time. May forget groups, so rows may change."""
        if len(self._parent) > self._most_groups:
            self._forget_groups()
        exposure = self._exposure[: len(self._parent)].copy()
        if self.standing:
            self._add_standing(exposure, now)
        return self._posterior(exposure)

    def _add_standing(self, exposure: Floats, now: float) -> None:
        """Add the pods that stand: by group first, then from each level to the one above."""
        slots = self.standing.slots()
        slots = slots[np.argsort(self.standing.groups(slots), kind="stable")]
        added = np.zeros_like(exposure)
        for begin in range(0, len(slots), _AT_ONCE):
            some = slots[begin : begin + _AT_ONCE]
            born, seen = self.standing.born(some), self.standing.seen(some)
            at_risk = np.clip((now - born)[:, None] - EDGES[:-1], 0, WIDTHS)
            at_risk -= np.clip((seen - born)[:, None] - EDGES[:-1], 0, at_risk)
            present, first = np.unique(self.standing.groups(some), return_index=True)
            added[present] += np.add.reduceat(at_risk, first, 0)
        levels, parents = np.array(self._level), np.array(self._parent)
        for level in range(int(levels.max()), 0, -1):
            rows = np.flatnonzero(levels == level)
            np.add.at(added, parents[rows], added[rows])
        exposure += added

    def _posterior(self, exposure: Floats) -> Floats:
        levels, parents = np.array(self._level), np.array(self._parent)
        hazard = np.tile(1 - np.exp(-WIDTHS / _PRIOR_LIFE_S), (len(exposure), 1))
        for level in range(int(levels.max(initial=-1)) + 1):
            rows = np.flatnonzero(levels == level)
            prior = hazard[parents[rows]] if level else hazard[rows]
            k = np.array([self._prior[row] for row in rows])[:, None]
            hazard[rows] = (self._departures[rows] + k * prior) / (exposure[rows] / WIDTHS + k)
        rates: Floats = -np.log1p(-np.minimum(hazard, _LARGEST_HAZARD)) / WIDTHS
        return rates

    def _forget_groups(self) -> None:
        """Keep the groups of pods that stand, those above them, and of the others the half that was seen last."""
        needed = set(self.standing.groups(self.standing.slots()).tolist())
        by_age = sorted(range(len(self._parent)), key=lambda row: -self._seen[row])
        needed.update(by_age[: self._most_groups // 2])
        for row in range(len(self._parent) - 1, -1, -1):  # parents have smaller numbers
            if row in needed and self._parent[row] >= 0:
                needed.add(self._parent[row])
        kept = sorted(needed)
        new = {old: position for position, old in enumerate(kept)}
        self.standing.regroup([new.get(row, -1) for row in range(len(self._parent))])
        self._departures, self._exposure = self._departures[kept], self._exposure[kept]
        self._parent = [new.get(self._parent[row], -1) for row in kept]
        self._level = [self._level[row] for row in kept]
        self._prior = [self._prior[row] for row in kept]
        self._seen = [self._seen[row] for row in kept]
        self._rows = {key: new[row] for key, row in self._rows.items() if row in new}
        self._unsized = {key: new[row] for key, row in self._unsized.items() if row in new}

    def _prior_of(self, key: tuple[Hashable, ...]) -> float:
        if key and isinstance(key[-1], BatchSize):
            return _PRIOR_PODS_OF_SIZE
        level = len(BatchSize.left_out(key))
        return self._prior_pods[min(level, len(self._prior_pods) - 1)]

    def _row(self, key: tuple[Hashable, ...], parent: int, level: int) -> int:
        row = self._rows.setdefault(key, len(self._parent))
        if row == len(self._parent):
            self._parent.append(parent)
            self._level.append(level)
            self._prior.append(self._prior_of(key))
            self._seen.append(float("-inf"))
            if row >= len(self._departures):
                self._departures = np.concatenate([self._departures, np.zeros_like(self._departures)])
                self._exposure = np.concatenate([self._exposure, np.zeros_like(self._exposure)])
        return row


class Expectations:
    """What was learned up to a moment, frozen: rates by group, and the survival of a pod by its path and age.

    Args:
        groups: path -> row of `rates`; the empty path, all pods, is there.
        rates: departures a second by bin of age.
    """

    def __init__(self, groups: Mapping[tuple[Hashable, ...], int], rates: Floats) -> None:
        self.rates = rates
        self._groups = groups
        self._kept: dict[tuple[int, float], Floats] = {}

    def curve(self, path: Sequence[Hashable], age: float = 0.0, ends_in: float | None = None) -> Floats:
        """The chance to stand in each bin of the time ahead, by the nearest group of the path of which anything is known.

        Args:
            path: of the pod.
            age: seconds.
            ends_in: seconds until the pod's deadline, if it has one.
        """
        key = (self._group(path), age)
        if key not in self._kept:
            if len(self._kept) > _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = survival(self.rates[[key[0]]], np.array([max(0.0, age)]))[0]
        learned = self._kept[key]
        return learned if ends_in is None else learned * known_survival(np.array([ends_in]))[0]

    def knows(self, path: Sequence[Hashable]) -> bool:
        """Whether pods of just this path were seen."""
        return tuple(path) in self._groups

    def _group(self, path: Sequence[Hashable]) -> int:
        whole = tuple(path)
        for level in range(len(whole), 0, -1):
            group = self._groups.get(whole[:level])
            if group is not None:
                return group
        return self._groups[()]


def survival(rates: Floats, ages: Floats) -> Floats:
    """The chance to stand in each bin of the time ahead, one row a pod, from the rates of its group and its age in seconds."""
    hazard = np.concatenate([np.zeros((len(rates), 1)), np.cumsum(rates * WIDTHS, 1)], 1)
    passed = _integral(hazard, rates, ages[:, None])
    chance: Floats = np.exp(passed - _integral(hazard, rates, ages[:, None] + _MIDDLES))
    return chance


def known_survival(remaining: Floats) -> Floats:
    """The same for pods whose remaining life in seconds is known: the share of each bin in which they stand."""
    share: Floats = np.clip((remaining[:, None] - EDGES[:-1]) / WIDTHS, 0, 1)
    return share


def _integral(hazard: Floats, rates: Floats, ages: Floats) -> Floats:
    bins = np.clip(np.searchsorted(EDGES, ages, side="right") - 1, 0, BINS - 1)
    rows = np.arange(len(rates))[:, None]
    value: Floats = hazard[rows, bins] + rates[rows, bins] * (ages - EDGES[bins])
    return value
