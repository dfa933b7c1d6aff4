"""What no right-sizer can beat: one that knows each judged day before it begins, and one that knows the whole judged period.

Both minimise the requested cores for a given unmet demand over the fleet (equal marginal value), without a bound on the overrun share:
a true lower bound on the cores needed at that unmet demand, up to the resolution of the sketches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from recommender import forecast
from recommender.amounts import Floats
from recommender.frontier import Point
from recommender.history import Window
from recommender.judge import Plan, judge
from recommender.learner import Learner
from recommender.usage import Usage

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


def oracle(usage: Usage, learn_days: int, *, each_day: bool, risks: Sequence[float] = RISKS) -> tuple[Point, ...]:
    """The frontier of hindsight: a new request each day, or one request for the whole judged period (which must fit 56 days)."""
    learner = Learner(usage)
    for day in range(usage.days):
        learner.observe(day)
    plans = [np.full((len(usage.names), usage.days), np.nan) for _ in risks]
    for day in range(learn_days, usage.days):
        of = learner.window(day + 1 if each_day else usage.days)
        since = usage.first_day + (day if each_day else learn_days)
        use = forecast.forecast(of, _from(of, since))
        for plan, risk in zip(plans, risks, strict=True):
            plan[:, day] = forecast.at_price(use, risk, 0.0)
        if not each_day:
            for plan in plans:
                plan[:, learn_days:] = plan[:, day : day + 1]
            break
    nothing = np.full((len(usage.names), usage.days), np.nan)
    return tuple(
        Point(risk, judge(usage, Plan(plan, nothing, nothing), learn_days))
        for risk, plan in zip(risks, plans, strict=True)
    )


def _from(of: Window, first: int) -> Floats:
    """Every observed day from `first` on counts by its samples."""
    return np.where(of.days >= first, of.samples, 0.0)
