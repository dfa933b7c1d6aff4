"""Where a series of figures changed its level: E-divisive.

Matteson and James, "A nonparametric approach for multiple change point analysis of multivariate data", JASA 109 (2014): the
split with the largest energy statistic is a change point if a permutation of its segment seldom has one as large; then the same
on both sides. As used on benchmark histories by Daly et al., "The use of change point detection to identify software performance
regressions in a continuous integration system", ICPE 2020, and by Fleming et al. in Hunter, ICPE 2023, whose advice to drop
changes too small to matter is followed as well.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_SEGMENT: Final = 3
"""Fewer figures say nothing about a level."""
SIGNIFICANCE: Final = 0.01
"""Dozens of gates are looked at, each more than once: at 5 % some would always have a false change."""
PERMUTATIONS: Final = 499
"""The smallest p-value is 1 in 500."""
LEAST_SHIFT: Final = 0.01
"""Of the earlier level; what is smaller is not worth a look."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change of level."""

    index: int
    """Of the first figure on the new level."""
    before: float
    """Mean of the segment that ends."""
    after: float
    """Mean of the segment that begins."""
    p_value: float

    @property
    def shift(self) -> float:
        """Relative to the level before; infinite from zero."""
        return (self.after - self.before) / abs(self.before) if self.before else float("inf")


def change_points(figures: Sequence[float], *, seed: int = 1, least_shift: float = LEAST_SHIFT) -> list[ChangePoint]:
    """Changes of level in order of time; the same every time for one seed.

    Args:
        figures: oldest first.
        seed: of the permutations.
        least_shift: changes below this share of the earlier level are left out.
    """
    chance = random.Random(seed)  # noqa: S311 - a permutation test, not a secret
    values = np.asarray(figures, dtype=np.float64)
    splits = sorted(_splits(values, 0, chance))
    edges = [0, *(index for index, _ in splits), len(values)]
    found = []
    for number, (index, p_value) in enumerate(splits):
        before = float(values[edges[number] : index].mean())
        after = float(values[index : edges[number + 2]].mean())
        point = ChangePoint(index, before, after, p_value)
        if abs(point.shift) >= least_shift:
            found.append(point)
    return found


def _splits(values: Floats, offset: int, chance: random.Random) -> list[tuple[int, float]]:
    """Significant splits of a segment with their p-values, by bisection; indices count from the whole series' start."""
    if len(values) < 2 * LEAST_SEGMENT:
        return []
    distances = np.abs(values[:, None] - values[None, :])
    index, statistic = _best_split(distances)
    p_value = _p_value(distances, statistic, chance)
    if p_value > SIGNIFICANCE:
        return []
    left = _splits(values[:index], offset, chance)
    right = _splits(values[index:], offset + index, chance)
    return [*left, (offset + index, p_value), *right]


def _best_split(distances: Floats) -> tuple[int, float]:
    """The split with the largest scaled energy statistic (equation 5 of the paper, exponent 1)."""
    total = len(distances)
    splits = np.arange(LEAST_SEGMENT, total - LEAST_SEGMENT + 1)
    sums = distances.cumsum(axis=0).cumsum(axis=1)
    within_left = sums[splits - 1, splits - 1]
    between = sums[splits - 1, -1] - within_left
    within_right = sums[-1, -1] - within_left - 2 * between
    left, right = splits.astype(np.float64), (total - splits).astype(np.float64)
    energy = 2 * between / (left * right) - within_left / (left * (left - 1)) - within_right / (right * (right - 1))
    statistics = left * right / total * energy
    best = int(statistics.argmax())
    return int(splits[best]), float(statistics[best])


def _p_value(distances: Floats, statistic: float, chance: random.Random) -> float:
    """Share of permutations, the given order among them, with a split at least as good."""
    order = list(range(len(distances)))
    as_good = 1
    for _ in range(PERMUTATIONS):
        chance.shuffle(order)
        as_good += _best_split(distances[np.ix_(order, order)])[1] >= statistic
    return as_good / (PERMUTATIONS + 1)
