"""The grid of recommended sizes, and which changes are worth making: steps, cool-down, threshold, and cycles not yet seen whole.

Grid: CPU 25m up to 250m, 50m up to 1 core, 100m up to 4 cores, then 250m (below 25m: 5m); memory 16Mi up to 256Mi, 64Mi up to 1Gi,
128Mi up to 4Gi, then 256Mi. Values are rounded up. A new value is taken only if it differs by more than 10 % (CPU) or 5 % (memory).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats, Ints
from stowplan.model.workload_class import Latency, Step, WorkloadClass

_MIB: Final = 2**20
CPU_GRID: Final = ((25, 5), (250, 25), (1000, 50), (4000, 100), (2**62, 250))
MEMORY_GRID: Final = tuple(
    (limit * _MIB, step * _MIB) for limit, step in ((256, 16), (1024, 64), (4096, 128), (2**42, 256))
)
GRID_TOLERANCE: Final = 5e-4
"""A value this little above a grid point is on it: more than the error of the codes that histories are kept in."""
CPU_THRESHOLD: Final = 0.10
MEMORY_THRESHOLD: Final = 0.05
WEEK_HOURS: Final = 7 * 24


def rounded(values: Floats, grid: tuple[tuple[int, int], ...]) -> Floats:
    """Each value rounded up to the grid; NaN stays NaN."""
    result = np.full_like(values, np.nan)
    for limit, step in reversed(grid):
        up = np.ceil(values / step * (1 - GRID_TOLERANCE)) * step
        result = np.where(values <= limit, np.minimum(up, limit), result)
    return result


@dataclass(frozen=True, slots=True)
class Changed:
    """Values to use from now on, and which of the rules decided."""

    value: Floats
    step_limited: NDArray[np.bool_]
    held: NDArray[np.bool_]
    """The old value stays: within the threshold, in its cool-down, or its cycle has not been seen whole."""


def shrink_allowed(of: WorkloadClass, history_hours: Floats) -> NDArray[np.bool_]:
    """Whether enough was seen to go down: the class's least history and, unless latency is relaxed, a whole week.

    A workload seen from Friday to Sunday only must not be shrunk to its weekend; the guard needs no guess which side is quiet.
    """
    least = of.cpu.min_history_hours
    if of.latency is not Latency.RELAXED:
        least = max(least, WEEK_HOURS)
    return history_hours >= least


def change(
    old: Floats,
    new: Floats,
    rules: Step,
    threshold: float,
    hours_since_change: Ints | Floats,
    may_shrink: NDArray[np.bool_],
) -> Changed:
    """What becomes of a new value beside the old one (NaN: there is none, the new one is taken as it is); NaN stays NaN."""
    bounded = new
    if rules.max_down_percent:
        bounded = np.where(np.isnan(old), bounded, np.maximum(bounded, old * (100 - rules.max_down_percent) / 100))
    if rules.max_up_percent:
        bounded = np.where(np.isnan(old), bounded, np.minimum(bounded, old * (100 + rules.max_up_percent) / 100))
    down = bounded < old
    small = np.abs(bounded - old) <= threshold * old
    early = down & (np.asarray(hours_since_change) < rules.cooldown_hours)
    held = np.isfinite(old) & (small | early | (down & ~may_shrink))
    return Changed(np.where(held, old, bounded), (bounded != new) & np.isfinite(old) & np.isfinite(new), held)
