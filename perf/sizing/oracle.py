"""What no right-sizer can beat: the least cores with hindsight, under the same bounds on risk as the target.

Two kinds of hindsight: requests that know the whole judged period but stay fixed (one per container), and requests that know each judged
day before it begins. The bound is the Lagrange dual of: least requested core-hours, such that unmet demand and mean overrun share are no
more than a baseline's. For any prices of both, the cheapest requests of every container (and day) can be found one by one, and

    sum of requests + price x (unmet - allowed) + price x (overrun - allowed)

at these requests is a lower bound on the core-hours of every method that keeps the two bounds; the best bound over a grid of prices
is given. The 95th-percentile bound of the target is left out, which can only lower it. Exact up to the resolution of the sketches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.amounts import Floats
from recommender.forecasting.forecast import Forecast, forecast
from recommender.remembering.history import Window
from recommender.replaying.learner import Learner
from recommender.replaying.usage import Usage

RISKS: Final = (
    0.7,
    0.6,
    0.5,
    0.4,
    0.3,
    0.25,
    0.2,
    0.16,
    0.13,
    0.1,
    0.08,
    0.06,
    0.05,
    0.04,
    0.03,
    0.02,
    0.01,
    0.005,
    0.002,
)
"""Reciprocal prices of unmet demand."""
PRICES: Final = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Prices of the mean overrun share, in mean requests of a baseline."""


@dataclass(frozen=True)
class Hindsight:
    """What was used on judged days: a known distribution for each choice that hindsight has, and its hours by container."""

    choices: tuple[tuple[Forecast, Floats], ...]

    @property
    def hours(self) -> Floats:
        """Judged hours by container."""
        total: Floats = np.sum([hours for _, hours in self.choices], axis=0)
        return total


def hindsight(usage: Usage, learn_days: int, *, each_day: bool) -> Hindsight:
    """What is known afterwards: of each judged day, or of the whole judged period (which must fit 56 days) as one choice."""
    learner = Learner(usage)
    for day in range(usage.days):
        learner.observe(day)
    hours = np.bincount(usage.group, usage.step_s / 3600, len(usage.names) * usage.days).reshape(-1, usage.days)
    whole = learner.window(usage.days)
    days = range(learn_days, usage.days)
    spans = [(day, day + 1) for day in days] if each_day else [(learn_days, usage.days)]
    return Hindsight(
        tuple(
            (_known(whole, usage.days - start, usage.days - end), hours[:, start:end].sum(axis=1))
            for start, end in spans
        )
    )


def _known(of: Window, first: int, last: int) -> Forecast:
    """The use from `first` days before the end up to (and without) `last` days before it, each day counting by its samples."""
    end = of.cpu.shape[1] - last
    part = slice(end - (first - last), end)
    days = Window(
        of.today, of.days[part], of.cpu[:, part], of.late_cpu[:, part], of.memory_peak[:, part], of.samples[:, part]
    )
    return forecast(days, days.samples)


def least_cores(of: Hindsight, unmet: float, overrun: float | None, scale: float) -> float:
    """Lower bound on the core-hours of every method whose unmet demand (share of use) and mean overrun share are no more than given.

    Args:
        of: the judged days.
        unmet: allowed share.
        overrun: allowed mean over containers; None: no bound.
        scale: millicores that a price of 1 stands for.
    """
    used = sum(float(np.nansum(use.mean * hours)) for use, hours in of.choices)
    present = of.hours > 0
    best = 0.0
    for risk in RISKS:
        for price in PRICES if overrun is not None else PRICES[:1]:
            requested, above, over = _cheapest(of, risk, price * scale, present)
            dual = requested + (above - unmet * used) / risk
            if overrun is not None:
                dual += price * scale * float(of.hours[present].mean()) * int(present.sum()) * (over - overrun)
            best = max(best, dual)
    return best / 1000


def _cheapest(
    of: Hindsight, risk: float, price: float, present: np.typing.NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Millicore-hours requested and unmet, and the mean overrun share, of the requests that cost least at given prices."""
    hours, count = of.hours, int(present.sum())
    weight = np.divide(hours[present].mean(), hours, out=np.zeros_like(hours), where=present) * price
    requested = above = over = 0.0
    for use, of_choice in of.choices:
        cost = use.use + use.unmet / risk + weight[:, None] * use.overrun
        rows = np.flatnonzero((of_choice > 0) & np.isfinite(use.mean))
        at = cost[rows].argmin(axis=1)
        requested += float((use.use[rows, at] * of_choice[rows]).sum())
        above += float((use.unmet[rows, at] * of_choice[rows]).sum())
        over += float((use.overrun[rows, at] * of_choice[rows] / hours[rows]).sum()) / count
    return requested, above, over


def least_memory_by_rule(past: Floats, judged: Floats, hours: Floats, breaches: int) -> float:
    """The least GiB-hours that any rule max(floor, factor x past peak) reaches with at most so many breaches, chosen in hindsight.

    Args:
        past: highest use in bytes before the judged day, by container.
        judged: highest use on it.
        hours: judged hours.
        breaches: allowed containers with a higher judged peak than requested.
    """
    best = float("inf")
    for floor in (0.0, *judged):
        for factor in (0.0, *(judged / past)):
            requests = np.maximum(floor, factor * past)
            if int((judged > requests * (1 + 1e-12)).sum()) <= breaches:
                best = min(best, float((requests * hours).sum()))
    return best / 2**30
