"""Which remembered days speak for tomorrow: recent ones, of the same part of the week, that followed days like the last ones.

weight = 2^(-age / half-life) x (2 for the same part of the week, working days or weekend)
         x (0.03 + 0.97 x likeness of what came before)
likeness = exp(-|log peak of three days| - 0.5 |log level of the day before| - 0.5 |log level of the evening before|)
Levels are the 95th percentile of a day, compared with 20 millicores added. The constants were chosen on the first 45 days of the
Bitbrains recording (docs/sizing.md); the judged days took no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.amounts import Floats, Ints
from recommender.remembering.history import P95_BAND, Window

WEEK: Final = 7
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Likeness:
    """How days are weighed."""

    half_life_days: float = 20.0
    week_part_factor: float = 2.0
    unlike_weight: float = 0.03
    """Weight of a day that has nothing in common with now; keeps every remembered day in play."""
    unknown_likeness: float = 0.3
    """Likeness of a day whose eve was not observed."""
    three_days: float = 1.0
    yesterday: float = 0.5
    evening: float = 0.5
    offset_millicores: float = 20.0


CPU_LIKENESS: Final = Likeness()


def weekday(day: Ints) -> Ints:
    """0 for Monday to 6 for Sunday of days since the epoch (1970-01-01 was a Thursday)."""
    return (day + 3) % WEEK


def day_weights(of: Window, likeness: Likeness = CPU_LIKENESS) -> Floats:
    """Weight of each remembered day for `today`, (containers, days); 0 for days not observed."""
    level = np.log(of.cpu[:, :, P95_BAND] + likeness.offset_millicores)
    evening = np.log(of.late_cpu + likeness.offset_millicores)
    before = _eves(level)
    distance = (
        likeness.three_days * np.abs(_three_days(level)[:, -1:] - _eves(_three_days(level)))
        + likeness.yesterday * np.abs(level[:, -1:] - before)
        + likeness.evening * np.abs(evening[:, -1:] - _eves(evening))
    )
    alike = np.where(np.isfinite(distance), np.exp(-np.nan_to_num(distance)), likeness.unknown_likeness)
    weights = recency(of, likeness)[None, :] * (likeness.unlike_weight + (1 - likeness.unlike_weight) * alike)
    return np.where(of.known, weights, 0.0)


def recency(of: Window, likeness: Likeness = CPU_LIKENESS) -> Floats:
    """The part of the weight that is the same for all containers: age and part of the week, (days,)."""
    ages = of.today - of.days
    weekend = weekday(of.days) >= _SATURDAY
    today_weekend = weekday(np.array([of.today]))[0] >= _SATURDAY
    same = np.where(weekend == today_weekend, likeness.week_part_factor, 1.0)
    return same * np.exp2(-(ages - 1) / likeness.half_life_days)


def _eves(values: Floats) -> Floats:
    """The value of the day before each day; NaN for the first."""
    return np.concatenate([np.full((len(values), 1), np.nan), values[:, :-1]], axis=1)


def _three_days(values: Floats) -> Floats:
    """Largest value of each day and the two before it, as far as they were observed."""
    once = _eves(values)
    return np.fmax(np.fmax(values, once), _eves(once))
