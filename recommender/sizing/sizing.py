"""Requests of one class from what was learned: the smallest ones within the declared risk, then staffing, bounds and the grid.

CPU = max( smallest r with predicted overrun and unmet demand within level x declared, plus the class's margin as far as the level is
tight;  mean use, for classes of relaxed latency;  (A + Q sqrt(A)) / R, where replicas are known )
Memory request = limit / limit share, limit = smallest m with P(breach) <= level x declared (recommender.forecasting.peaks), plus the
class's margin as far as the level is tight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.forecasting import forecast, peaks
from recommender.forecasting.analogs import day_weights
from recommender.remembering.history import Window
from recommender.risk import Levels, Risk, carefulness
from recommender.sizing.grid import CPU_GRID, MEMORY_GRID, rounded
from stowplan.model.workload_class import Latency, WorkloadClass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Requests on the grid before steps and cool-downs, and what went into them; by container, NaN without data."""

    cpu: Floats
    memory: Floats
    cpu_raw: Floats
    """Millicores before bounds and grid."""
    memory_raw: Floats
    overrun: Floats
    """Predicted overrun share at the request."""
    mean: Floats
    """Predicted mean use, millicores."""
    floored_by_mean: NDArray[np.bool_]
    clamped: NDArray[np.bool_]
    """The class's bounds changed the CPU or the memory."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is forecast for some containers, under whatever class."""

    use: forecast.Forecast
    peaks: peaks.PeakForecast

    def rows(self, chosen: NDArray[np.int64]) -> Outlook:
        """That of some of the containers."""
        use = self.use
        return Outlook(
            forecast.Forecast(use.use[chosen], use.overrun[chosen], use.unmet[chosen], use.mean[chosen]),
            peaks.PeakForecast(self.peaks.memory[chosen], self.peaks.breach[chosen]),
        )


def outlook_of(of: Window) -> Outlook:
    """The forecasts for the containers of a window."""
    return Outlook(forecast.forecast(of, day_weights(of)), peaks.peak_forecast(of))


def sizes(of: Window, wclass: WorkloadClass, risk: Risk, levels: Levels) -> Sizes:
    """Sizes of all containers of a window under one class."""
    return sizes_of(outlook_of(of), wclass, risk, levels)


def sizes_of(of: Outlook, wclass: WorkloadClass, risk: Risk, levels: Levels) -> Sizes:
    """Sizes of containers under one class, from their forecasts."""
    use = of.use
    raw = _cpu(of, wclass, risk, levels)
    by_mean = np.zeros(len(raw), dtype=np.bool_)
    if wclass.latency is Latency.RELAXED:
        by_mean = use.mean > raw
        raw = np.where(by_mean, use.mean, raw)
    memory_raw = _memory(of, wclass, risk, levels)
    cpu = np.clip(raw, wclass.bounds.cpu_min, wclass.bounds.cpu_max)
    memory = np.clip(memory_raw, wclass.bounds.memory_min, wclass.bounds.memory_max)
    clamped = (np.isfinite(raw) & (cpu != raw)) | (np.isfinite(memory_raw) & (memory != memory_raw))
    above = (use.use <= raw[:, None]).sum(axis=1) - 1
    overrun = use.overrun[np.arange(len(raw)), np.maximum(above, 0)]
    return Sizes(
        rounded(cpu, CPU_GRID), rounded(memory, MEMORY_GRID), raw, memory_raw, overrun, use.mean, by_mean, clamped
    )


def _cpu(of: Outlook, wclass: WorkloadClass, risk: Risk, levels: Levels) -> Floats:
    bare = forecast.within_risk(of.use, risk.overrun * levels.cpu, risk.unmet * levels.cpu)
    return np.asarray(bare * (1 + wclass.cpu.margin_percent / 100 * carefulness(levels.cpu)))


def _memory(of: Outlook, wclass: WorkloadClass, risk: Risk, levels: Levels) -> Floats:
    limit = peaks.within_risk(of.peaks, risk.breach * levels.memory)
    limit = limit * (1 + wclass.memory.margin_percent / 100 * carefulness(levels.memory))
    return np.asarray(limit * 100 / (wclass.limits.memory_percent or 100))


@dataclass(frozen=True, slots=True)
class Range:
    """Requests below and above which a target is unsafe or waste; by container, NaN without data."""

    cpu_low: Floats
    """Millicores."""
    cpu_high: Floats
    memory_low: Floats
    """Bytes."""
    memory_high: Floats


RANGE_FACTOR: Final = 4.0
"""The ends of the range carry this multiple of the risk of the target, and this part of it."""


def safe_range(of: Outlook, wclass: WorkloadClass, risk: Risk, levels: Levels) -> Range:
    """The requests at which the predicted risk would be four times, and a quarter of, what it is at the target."""
    loose = Levels(np.minimum(levels.cpu * RANGE_FACTOR, 1.0), np.minimum(levels.memory * RANGE_FACTOR, 1.0))
    tight = Levels(levels.cpu / RANGE_FACTOR, levels.memory / RANGE_FACTOR)
    return Range(
        _cpu(of, wclass, risk, loose),
        _cpu(of, wclass, risk, tight),
        _memory(of, wclass, risk, loose),
        _memory(of, wclass, risk, tight),
    )


def staffing(busy_cores: float, replicas: int, factor_thousandths: int) -> int:
    """Millicores per replica so that a queue stays short: (A + Q sqrt(A)) / R with A busy cores of the whole workload.

    Square-root staffing (Halfin & Whitt 1981) with Netflix's tier factors Q; pooling over replicas is what makes it cheap. 0 where the
    workload has a single replica: there is nothing to pool, and the forecast already holds its bursts.

    Raises:
        ValueError: a negative load or no replica.
    """
    if busy_cores < 0 or replicas < 1:
        raise ValueError(
            f"staffing of {busy_cores} busy cores on {replicas} replicas: load must be >= 0, replicas >= 1"
        )
    if replicas == 1:
        return 0
    cores = busy_cores + factor_thousandths / 1000 * math.sqrt(busy_cores)
    return math.ceil(round(cores * 1000 / replicas, 6))
