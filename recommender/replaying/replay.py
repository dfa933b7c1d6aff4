"""Walk through a recording day by day: recommend at the start of a day, judge the day, and only then let it be learned."""

from __future__ import annotations

import numpy as np

from recommender.replaying.judge import Plan
from recommender.replaying.strategy import Requests, Strategy
from recommender.replaying.usage import Usage


def replay(usage: Usage, strategy: Strategy, learn_days: int) -> Plan:
    """Requests of the strategy on each day from `learn_days` on, as if every pod were created anew each day.

    Raises:
        ValueError: no day is left to be judged.
    """
    if not 1 <= learn_days < usage.days:
        raise ValueError(
            f"learn days: {learn_days} of {usage.days} recorded days; it must be at least 1 and leave a day to judge"
        )
    shape = (len(usage.names), usage.days)
    plan = Plan(np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan))
    peaks = usage.daily_max(usage.memory)
    nothing = np.full(shape[0], np.nan)
    for day in range(usage.days):
        requests = strategy.recommend(day) if day >= learn_days else Requests(nothing, nothing, nothing)
        plan.cpu[:, day], plan.memory[:, day] = requests.cpu, requests.memory
        plan.memory_limit[:, day] = requests.memory_limit
        breached = np.nan_to_num(peaks[:, day]) > np.nan_to_num(requests.memory_limit, nan=np.inf)
        strategy.observe(day, requests, breached)
    return plan
