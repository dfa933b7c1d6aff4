"""Autopilot's moving-window recommender, for serving and for batch.

Source: Rzadca et al., Autopilot: workload autoscaling at Google, EuroSys 2020, section 3.2: samples of five minutes, half-life 12 h for
CPU and 48 h for memory; CPU: load-adjusted 95th percentile (serving) or mean (batch); memory: the maximum (the paper's default for small
jobs) for serving, the 98th percentile for batch; margin 10 to 15 %. What the paper leaves open is chosen here: 15 % for all, the maximum
over 14 days. Its maximum over the last hour is of no effect at the start of a day.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats, Ints
from recommender.replaying.histogram import VPA_CPU, VPA_MEMORY, DecayingHistograms, read_percentile
from recommender.replaying.strategy import Requests, rows_of_day, whole
from recommender.replaying.usage import Usage

CPU_HALF_LIFE_S: Final = 12 * 3600
MEMORY_HALF_LIFE_S: Final = 48 * 3600
WINDOW_S: Final = 300
SERVING_PERCENTILE: Final = 0.95
MEMORY_PERCENTILE: Final = 0.98
MARGIN: Final = 1.15
PEAK_DAYS: Final = 14


class AutopilotWindow:
    """Requests of every container at the start of each day; memory limit = request."""

    def __init__(self, usage: Usage, *, batch: bool = False) -> None:
        self._usage = usage
        self._batch = batch
        self._cpu = DecayingHistograms(VPA_CPU, CPU_HALF_LIFE_S, len(usage.names))
        self._memory = DecayingHistograms(VPA_MEMORY, MEMORY_HALF_LIFE_S, len(usage.names))
        self._peaks: Floats = np.zeros((len(usage.names), usage.days))

    def recommend(self, day: int) -> Requests:
        """Requests from decayed histograms; NaN for containers without a sample."""
        starts = VPA_CPU.starts
        middles = (starts + np.append(starts[1:], starts[-1])) / 2
        load = self._cpu.weights * middles
        if self._batch:
            with np.errstate(invalid="ignore"):
                cpu = load.sum(axis=1) / self._cpu.weights.sum(axis=1)
        else:
            cpu = read_percentile(VPA_CPU, load, SERVING_PERCENTILE)
        peaks = self._peaks[:, max(0, day - PEAK_DAYS) : day].max(axis=1, initial=0.0)
        base = self._memory.percentile(MEMORY_PERCENTILE) if self._batch else np.where(peaks > 0, peaks, np.nan)
        memory = whole(base * MARGIN)
        return Requests(whole(cpu * MARGIN), memory, memory)

    def observe(self, day: int, requests: Requests, breached: NDArray[np.bool_]) -> None:  # noqa: ARG002 - usage is enough
        """Add the day in windows of five minutes: mean of CPU, peak of memory."""
        usage, rows = self._usage, rows_of_day(self._usage, day)
        if not len(rows):
            return
        window = usage.container[rows] * (1 << 32) + usage.t_s[rows] // WINDOW_S
        starts: Ints = np.flatnonzero(np.diff(window, prepend=-1))
        container, t_s = usage.container[rows][starts], usage.t_s[rows][starts]
        counts = np.diff(np.append(starts, len(rows)))
        self._cpu.add(container, np.add.reduceat(usage.cpu[rows], starts) / counts, t_s)
        peaks = np.maximum.reduceat(np.nan_to_num(usage.memory[rows], nan=-1.0), starts)
        self._memory.add(container[peaks >= 0], peaks[peaks >= 0], t_s[peaks >= 0])
        np.maximum.at(self._peaks[:, day], container, peaks)
