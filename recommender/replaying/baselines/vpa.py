"""The Vertical Pod Autoscaler's recommender with its default flags.

Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender (model/container.go, model/aggregate_container_state.go,
logic/estimator.go, logic/recommender.go, util/*histogram*.go). Target: 90th percentile of decaying histograms (half-life 24 h), +15 %,
floors of 25 millicores and 250 MiB a pod. Memory is learned by the peak of each 24-hour window, counted from the container's first
sample; an OOM kill adds max(request + 100 MiB, 1.2 x request) as a peak. Samples weigh the same (constant since release 1.4).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import DAY_S, Floats, Ints
from recommender.replaying.histogram import VPA_CPU, VPA_MEMORY, DecayingHistograms
from recommender.replaying.strategy import Requests, rows_of_day, whole
from recommender.replaying.usage import Usage

TARGET: Final = 0.9
LOWER: Final = 0.5
UPPER: Final = 0.95
MARGIN: Final = 1.15
POD_CPU_MIN: Final = 25.0
POD_MEMORY_MIN: Final = 250.0 * 2**20
OOM_BUMP: Final = 100.0 * 2**20
OOM_RATIO: Final = 1.2


def confidence(first_s: Ints, last_s: Ints, samples: Ints) -> Floats:
    """Days of history, by the clock or by samples of a minute each, whichever is less (logic/estimator.go)."""
    return np.minimum((last_s - first_s) / DAY_S, samples / 1440)


def lower_bound(base: Floats, days: Floats) -> Floats:
    """Lower bound of the recommendation: base x (1 + 0.001 / confidence)^-2; 0 without history."""
    with np.errstate(divide="ignore"):
        return base * (1 + 0.001 / days) ** -2.0


def upper_bound(base: Floats, days: Floats) -> Floats:
    """Upper bound of the recommendation: base x (1 + 1 / confidence); infinite without history."""
    with np.errstate(divide="ignore"):
        return base * (1 + 1.0 / days)


class MemoryPeaks:
    """Peaks of 24-hour windows; the running window's peak is replaced when it grows (model/container.go)."""

    def __init__(self, containers: int) -> None:
        self.histograms = DecayingHistograms(VPA_MEMORY, DAY_S, containers)
        self._first = np.full(containers, -1, dtype=np.int64)
        self._window = np.full(containers, -1, dtype=np.int64)
        self._peak = np.zeros(containers)

    def add(self, container: int, t_s: Ints, memory: Floats) -> None:
        """Usage samples of one container in the order of time."""
        if not len(t_s):
            return
        if self._first[container] < 0:
            self._first[container] = t_s[0]
        windows = (t_s - self._first[container]) // DAY_S
        starts = np.flatnonzero(np.diff(windows, prepend=-1))
        for window, peak in zip(windows[starts], np.maximum.reduceat(memory, starts), strict=True):
            self._raise(container, int(window), float(peak))

    def record_oom(self, container: int, requested: float) -> None:
        """An OOM kill in the running window at the given request, in bytes."""
        needed = max(requested + OOM_BUMP, requested * OOM_RATIO)
        self._raise(container, int(self._window[container]), needed)

    def _raise(self, container: int, window: int, peak: float) -> None:
        row, end_s = np.array([container]), np.array([self._first[container] + (window + 1) * DAY_S])
        if window == self._window[container]:
            old = self._peak[container]
            if old == 0 or peak <= old:  # a window that began with zero is never raised: so the source
                return
            self.histograms.add(row, np.array([old]), end_s, -1.0)
        self.histograms.add(row, np.array([peak]), end_s)
        self._window[container], self._peak[container] = window, peak


class Vpa:
    """The target of every container at the start of each day; memory limit = request."""

    def __init__(self, usage: Usage, *, learn_from_oom: bool = True) -> None:
        self._usage = usage
        self._learn_from_oom = learn_from_oom
        count = len(usage.names)
        self._cpu = DecayingHistograms(VPA_CPU, DAY_S, count)
        self._memory = MemoryPeaks(count)
        workloads = [workload for workload, _ in usage.names]
        self._share = np.array([1.0 / workloads.count(workload) for workload in workloads])

    def recommend(self, day: int) -> Requests:  # noqa: ARG002 - all that was observed counts, whatever the day
        """Targets; NaN for containers without a sample."""
        cpu = whole(np.maximum(self._cpu.percentile(TARGET) * MARGIN, POD_CPU_MIN * self._share))
        peaks = self._memory.histograms.percentile(TARGET)
        memory = whole(np.maximum(peaks * MARGIN, POD_MEMORY_MIN * self._share))
        return Requests(cpu, memory, memory)

    def observe(self, day: int, requests: Requests, breached: NDArray[np.bool_]) -> None:
        """Add the day's samples, then its OOM kills."""
        rows = rows_of_day(self._usage, day)
        usage = self._usage
        self._cpu.add(usage.container[rows], usage.cpu[rows], usage.t_s[rows])
        for container in np.unique(usage.container[rows]):
            cell = usage.cell(int(container), day)
            known = np.isfinite(usage.memory[cell])
            self._memory.add(int(container), usage.t_s[cell][known], usage.memory[cell][known])
            if breached[container] and self._learn_from_oom:
                self._memory.record_oom(int(container), float(requests.memory_limit[container]))
