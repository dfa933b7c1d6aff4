"""The frontier between cost and risk: what stowplan's forecasts make of a recording at each price of risk.

The requests of the frontier are the bare estimates: rounded up to whole millicores and bytes, memory limit = request, without classes,
grids, steps or cool-downs, so that baselines are met on equal terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recommender.amounts import Floats
from recommender.forecasting import forecast, peaks
from recommender.forecasting.forecast import Forecast
from recommender.forecasting.prior import forecast_with_prior
from recommender.remembering.history import P95_BAND, Window
from recommender.replaying.judge import Plan, Verdict, judge
from recommender.replaying.learner import Learner
from recommender.replaying.strategy import whole
from recommender.replaying.usage import Usage

RISKS: Final = tuple(float(f"{0.5 * 0.77**n:.3g}") for n in range(30))
"""Shares of time that use may exceed the request where a core is worth the same everywhere."""
BREACH_RISKS: Final = tuple(float(f"{0.6 * 0.8**n:.3g}") for n in range(33))
OVERRUN_PRICE: Final = 1.0
"""Price of permanent overrun, in requests of an average container."""
BREACH_PRICE: Final = 0.4
"""Price of a breach day times the risk, in requests of an average container."""
BREACH_MOST: Final = 4.0
"""No container's predicted breach probability exceeds this multiple of the risk."""


@dataclass(frozen=True)
class Point:
    """One setting of the risk and what came of it."""

    risk: float
    verdict: Verdict
    plan: Plan
    """The requests themselves."""

    def as_json(self, resource: str) -> dict[str, Any]:
        """Risk and the measures of `cpu` or `memory`."""
        return {"risk": self.risk, **self.verdict.summary()[resource]}


@dataclass(frozen=True)
class Frontier:
    """Points by falling risk."""

    cpu: tuple[Point, ...]
    memory: tuple[Point, ...]

    def as_json(self) -> dict[str, Any]:
        """The `frontier` of the replay's output."""
        return {
            "cpu": [point.as_json("cpu") for point in self.cpu],
            "memory": [point.as_json("memory") for point in self.memory],
        }


def cpu_request(of: Forecast, scale: float, risk: float, overrun_price: float = OVERRUN_PRICE) -> Floats:
    """Requests at a risk, millicores; `scale` is the fleet's average request."""
    return whole(forecast.at_price(of, risk, overrun_price * scale))


def fleet_scale(of: Window) -> float:
    """Average over containers of the mean of daily 95th percentiles, millicores."""
    levels = of.cpu[:, :, P95_BAND]
    known = of.known.any(axis=1)
    return float(np.nanmean(levels[known], axis=1).mean()) if known.any() else 0.0


def memory_request(of: peaks.PeakForecast, scale: float, risk: float) -> Floats:
    """Memory at a risk, bytes; `scale` is the fleet's average daily peak."""
    return whole(peaks.at_price(of, BREACH_PRICE * scale / risk, min(0.5, BREACH_MOST * risk)))


def sweep(
    usage: Usage,
    learn_days: int,
    risks: Sequence[float] = RISKS,
    breach_risks: Sequence[float] = BREACH_RISKS,
    overrun_price: float = OVERRUN_PRICE,
) -> Frontier:
    """Replay the recording once for all settings of the risk; no settings of a resource: nothing of it is computed."""
    shape = (len(usage.names), usage.days)
    cpu = [np.full(shape, np.nan) for _ in risks]
    memory = [np.full(shape, np.nan) for _ in breach_risks]
    learner = Learner(usage)
    with_memory = bool(breach_risks) and bool(np.isfinite(usage.memory).any())
    for day in range(usage.days):
        if day >= learn_days:
            of = learner.window(day)
            if risks:
                use, scale = forecast_with_prior(of), fleet_scale(of)
                for plan, risk in zip(cpu, risks, strict=True):
                    plan[:, day] = cpu_request(use, scale, risk, overrun_price)
            if with_memory:
                peak, average = peaks.peak_forecast(of), float(np.nanmean(of.memory_peak))
                for plan, risk in zip(memory, breach_risks, strict=True):
                    plan[:, day] = memory_request(peak, average, risk)
        learner.observe(day)
    nothing = np.full(shape, np.nan)
    of_cpu = [Plan(requests, nothing, nothing) for requests in cpu]
    of_memory = [Plan(nothing, requests, requests) for requests in memory]
    return Frontier(
        tuple(Point(r, judge(usage, plan, learn_days), plan) for r, plan in zip(risks, of_cpu, strict=True)),
        tuple(Point(r, judge(usage, plan, learn_days), plan) for r, plan in zip(breach_risks, of_memory, strict=True)),
    )
