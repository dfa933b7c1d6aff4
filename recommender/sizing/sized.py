"""Sizes of one class on the way from estimate to recommendation: staffing, steps and cool-downs, and the words that explain them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats, Ints
from recommender.risk import Levels, Risk
from recommender.sizing.grid import CPU_GRID, CPU_THRESHOLD, MEMORY_THRESHOLD, Changed, change, rounded, shrink_allowed
from recommender.sizing.sizing import Sizes, staffing
from stowplan.model.workload_class import WorkloadClass


@dataclass(frozen=True, slots=True)
class Before:
    """What stood before, by container; NaN: nothing."""

    cpu: Floats
    """Millicores."""
    memory: Floats
    """Bytes."""
    cpu_hours: Ints | Floats
    """Hours since the CPU changed."""
    memory_hours: Ints | Floats


@dataclass(frozen=True, slots=True)
class Sized:
    """The columns of some containers under one class."""

    wclass: WorkloadClass
    risk: Risk
    levels: Levels
    found: Sizes
    staffed: Floats
    """The staffing floor on the grid, millicores; 0: none."""
    wanted: Floats
    """Millicores before steps and cool-down."""
    cpu: Changed
    memory: Changed

    def by_staffing(self, row: int) -> bool:
        """Whether staffing asked for more than the use of one replica."""
        return bool(self.staffed[row] > self.found.cpu[row])

    def clamps(self, row: int) -> tuple[str, ...]:
        """The rules that changed the estimate, in the order in which they were applied."""
        rules = (
            ("class bounds", self.found.clamped[row]),
            ("staffing floor", self.by_staffing(row)),
            ("cpu step", self.cpu.step_limited[row]),
            ("cpu held", self.cpu.held[row] and self.cpu.value[row] != self.wanted[row]),
            ("memory step", self.memory.step_limited[row]),
            ("memory held", self.memory.held[row] and self.memory.value[row] != self.found.memory[row]),
        )
        return tuple(name for name, applied in rules if applied)

    def formula(self, row: int) -> str:
        """The estimate in words and numbers."""
        risk, levels = self.risk, self.levels
        basis = "mean use, above" if self.found.floored_by_mean[row] else "least with"
        return (
            f"cpu {self.found.cpu_raw[row]:.0f}m: {basis} predicted overrun within {risk.overrun:.1%} of time and unmet demand within"
            f" {risk.unmet:.1%} of use, at level {levels.cpu[row]:.2g};"
            f" memory: least with P(breach day) within {risk.breach:.1%}, at level {levels.memory[row]:.2g}"
        )


def staffing_floors(loads: Sequence[tuple[float, int]], wclass: WorkloadClass) -> Floats:
    """The staffing floor of each pair of busy cores and replicas on the grid, millicores; 0 where the class has no factor."""
    factor = wclass.cpu.staffing_factor_thousandths
    floors = [staffing(cores, replicas, factor) if factor else 0 for cores, replicas in loads]
    return rounded(np.minimum(np.array(floors, dtype=np.float64), wclass.bounds.cpu_max), CPU_GRID)


def settle(
    found: Sizes,
    wclass: WorkloadClass,
    risk: Risk,
    levels: Levels,
    staffed: Floats,
    before: Before,
    history_hours: Floats,
) -> Sized:
    """Estimates after staffing, steps, cool-down and the guard of cycles that were not seen whole."""
    wanted = np.where(np.isfinite(found.cpu), np.maximum(found.cpu, staffed), np.nan)
    may_shrink = shrink_allowed(wclass, history_hours)
    cpu = change(before.cpu, wanted, wclass.step, CPU_THRESHOLD, before.cpu_hours, may_shrink)
    memory = change(before.memory, found.memory, wclass.step, MEMORY_THRESHOLD, before.memory_hours, may_shrink)
    return Sized(wclass, risk, levels, found, staffed, wanted, cpu, memory)


def whole(value: float | NDArray[np.float64]) -> int:
    """A recommended amount as an integer; 0 where there is none."""
    return int(value) if np.isfinite(value) else 0
