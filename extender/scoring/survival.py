"""How much longer pods will stay: survival curves learned from pods that came before, of the same owner where there are any.

Ages are cut into bins. In each bin a group of pods has departures `d` among `n` pods at risk (one that still stands in the bin counts by
the part of it that it has passed). The hazard is `(d + k * h) / (n + k)`: the Kaplan-Meier estimate, drawn to the hazard `h` of the group
above (all pods < shape < owner) as if that had been seen on `k` pods. Pods that still stand count as at risk, so that nothing but
the past is used. The survival of a pod of age `a` over the next `t` seconds is `exp(-(H(a + t) - H(a)))`, with `H` the integral of its
rate.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGES: Final[Floats] = np.array(
    [0, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 64_800, 86_400,
     129_600, 172_800, 259_200], np.float64
)  # fmt: skip
"""Bounds of the bins in seconds, of ages as well as of the time ahead: fine where most pods end, three days in all."""
WIDTHS: Final[Floats] = np.diff(EDGES)
_BINS: Final = len(WIDTHS)
_MIDDLES: Final[Floats] = (EDGES[1:] + EDGES[:-1]) / 2
_PRIOR_PODS: Final = (1.0, 8.0, 0.5)
"""How many pods at risk the group above is worth: to the first group, to a shape, to an owner."""
_LARGEST_HAZARD: Final = 0.99
"""Keeps logarithms finite."""
_PRIOR_LIFE_S: Final = 14_400.0
"""Mean life before anything was seen."""


class Lifetimes:
    """Counts by group, and the pods that stand. A group is a path of keys, from all pods down to one owner."""

    def __init__(self) -> None:
        self._rows: dict[Hashable, int] = {}
        self._departures = np.zeros((64, _BINS))
        self._exposure = np.zeros((64, _BINS))
        self._parent: list[int] = []
        self._level: list[int] = []
        self._alive: dict[int, tuple[int, int]] = {}
        self.departed_any = False

    def arrive(self, pod: int, path: Sequence[Hashable], now: int) -> int:
        """A pod comes; returns its group, for `survival`."""
        group = -1
        for level in range(len(path) + 1):
            group = self._row(tuple(path[:level]), group, level)
        self._alive[pod] = (group, now)
        return group

    def depart(self, pod: int, now: int) -> None:
        """A pod ends by itself; one that is moved does not."""
        group, arrived = self._alive.pop(pod)
        age = float(max(1, now - arrived))
        at_risk = np.clip(age - EDGES[:-1], 0, WIDTHS)
        last = min(int(np.searchsorted(EDGES, age)) - 1, _BINS - 1)
        at_risk[last] = WIDTHS[last]
        while group >= 0:
            self._departures[group, last] += 1
            self._exposure[group] += at_risk
            group = self._parent[group]
        self.departed_any = True

    def ancestor(self, group: int, size: int) -> int:
        """The group itself, or the nearest one above it among the first `size`: those that rates were made for."""
        while group >= size and self._parent[group] >= 0:
            group = self._parent[group]
        return group

    def rates(self, now: int) -> Floats:
        """Departures a second by group and bin of age, from all that is known at a time."""
        size = len(self._parent)
        exposure = self._exposure[:size].copy()
        if self._alive:
            groups, arrived = np.array(list(self._alive.values()), np.int64).T
            at_risk = np.clip((now - arrived)[:, None] - EDGES[:-1], 0, WIDTHS)
            parents = np.array([*self._parent, -1], np.int64)
            for _ in range(max(self._level) + 1):
                known = groups >= 0
                np.add.at(exposure, groups[known], at_risk[known])
                groups = parents[groups]
        return self._posterior(exposure)

    def _posterior(self, exposure: Floats) -> Floats:
        levels, parents = np.array(self._level), np.array(self._parent)
        hazard = np.tile(1 - np.exp(-WIDTHS / _PRIOR_LIFE_S), (len(exposure), 1))
        for level in range(int(levels.max(initial=-1)) + 1):
            rows = np.flatnonzero(levels == level)
            prior = hazard[parents[rows]] if level else hazard[rows]
            k = _PRIOR_PODS[min(level, len(_PRIOR_PODS) - 1)]
            hazard[rows] = (self._departures[rows] + k * prior) / (exposure[rows] / WIDTHS + k)
        rates: Floats = -np.log1p(-np.minimum(hazard, _LARGEST_HAZARD)) / WIDTHS
        return rates

    def _row(self, key: Hashable, parent: int, level: int) -> int:
        row = self._rows.setdefault(key, len(self._parent))
        if row == len(self._parent):
            self._parent.append(parent)
            self._level.append(level)
            if row >= len(self._departures):
                self._departures = np.concatenate([self._departures, np.zeros_like(self._departures)])
                self._exposure = np.concatenate([self._exposure, np.zeros_like(self._exposure)])
        return row


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
    bins = np.clip(np.searchsorted(EDGES, ages, side="right") - 1, 0, _BINS - 1)
    rows = np.arange(len(rates))[:, None]
    value: Floats = hazard[rows, bins] + rates[rows, bins] * (ages - EDGES[bins])
    return value
