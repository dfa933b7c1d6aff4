"""stowplan's own strategy in a replay: every container is given one class, with its risk, steps and cool-down."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.remembering.history import History
from recommender.replaying.learner import Learner
from recommender.replaying.strategy import Requests, rows_of_day
from recommender.replaying.usage import Usage
from recommender.risk import Levels, Risk, declared, start_levels
from recommender.sizing.grid import CPU_THRESHOLD, MEMORY_THRESHOLD, change, shrink_allowed
from recommender.sizing.sizing import Sizes, sizes
from stowplan.model.workload_class import Cost, WorkloadClass

SHADOW_FROM: Final = 2
"""From this day of the recording on the levels are trained on recommendations that nobody uses yet."""


class ByClass:
    """Requests of one class for all containers."""

    def __init__(self, usage: Usage, wclass: WorkloadClass, cost: Cost | None = None) -> None:
        self._usage = usage
        self._class = wclass
        self.risk: Risk = declared(wclass, cost)
        count = len(usage.names)
        self._learner = Learner(usage)
        self.levels = Levels.start(count, *start_levels(wclass, cost))
        self._cpu, self._memory = np.full(count, np.nan), np.full(count, np.nan)
        self._changed = np.full((2, count), -1000, dtype=np.int64)
        self._usual = np.full(count, np.nan)
        self._recommended_day = -1

    @property
    def histories(self) -> list[History]:
        """What was learned, by container number."""
        return self._learner.histories

    def recommend(self, day: int) -> Requests:
        """Requests after steps and cool-down; they stand until the next day."""
        of = self._learner.window(day)
        found = sizes(of, self._class, self.risk, self.levels)
        hours = of.known.sum(axis=1) * 24.0
        self._settle(found, day, shrink_allowed(self._class, hours))
        self._usual = found.mean
        self._recommended_day = day
        share = (self._class.limits.memory_percent or 100) / 100
        return Requests(self._cpu.copy(), self._memory.copy(), np.floor(self._memory * share))

    def _settle(self, found: Sizes, day: int, may_shrink: NDArray[np.bool_]) -> None:
        step = self._class.step
        since = (day - self._changed) * 24
        cpu = change(self._cpu, found.cpu, step, CPU_THRESHOLD, since[0], may_shrink)
        memory = change(self._memory, found.memory, step, MEMORY_THRESHOLD, since[1], may_shrink)
        self._changed[0] = np.where(cpu.value != self._cpu, day, self._changed[0])
        self._changed[1] = np.where(memory.value != self._memory, day, self._changed[1])
        self._cpu, self._memory = cpu.value, memory.value

    def observe(self, day: int, requests: Requests, breached: NDArray[np.bool_]) -> None:
        """Learn the day, its OOM kills, and how the recommendation (in use or not) did."""
        asked, broke = requests, breached
        if day >= SHADOW_FROM and self._recommended_day != day:
            asked = self.recommend(day)
        used = rows_of_day(self._usage, day)
        peaks = self._peaks(used)
        if asked is not requests:
            broke = np.nan_to_num(peaks, nan=-1.0) > np.nan_to_num(asked.memory_limit, nan=np.inf)
        self._judge(used, asked, np.isfinite(peaks) & np.isfinite(asked.memory_limit), broke)
        self._learner.observe(day)
        self._learner.record_oom(day, asked.memory_limit, breached, self._class.memory.oom_bump_percent)

    def _judge(
        self, used: NDArray[np.int64], asked: Requests, judged: NDArray[np.bool_], broke: NDArray[np.bool_]
    ) -> None:
        container, cpu = self._usage.container[used], self._usage.cpu[used]
        count = len(asked.cpu)
        over = cpu - asked.cpu[container]
        samples = np.bincount(container, minlength=count)
        with np.errstate(invalid="ignore", divide="ignore"):
            overrun = np.bincount(container, over > 0, count) / samples
            unmet = np.bincount(container, np.maximum(np.nan_to_num(over), 0.0), count) / samples / self._usual
        nothing = (samples == 0) | ~np.isfinite(asked.cpu)
        self.levels.learn_cpu(self.risk, np.where(nothing, np.nan, overrun), np.where(nothing, np.nan, unmet))
        self.levels.learn_memory(self.risk, judged, broke)

    def _peaks(self, used: NDArray[np.int64]) -> Floats:
        peaks = np.full(len(self._usage.names), -1.0)
        np.maximum.at(peaks, self._usage.container[used], np.nan_to_num(self._usage.memory[used], nan=-1.0))
        return np.where(peaks >= 0, peaks, np.nan)
