"""Warm-up: the first minutes of a container, which say nothing about the rest of its life.

They are recognised from several starts, not assumed: JVMs and caches burn CPU for minutes, most programs do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.amounts import Floats, Ints

MINUTE_S: Final = 60
LONGEST_MINUTES: Final = 15
STARTS_NEEDED: Final = 2
FACTOR: Final = 1.5
"""A minute belongs to the warm-up while the median of the starts exceeds this multiple of the steady level."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How a workload starts."""

    seconds: int
    """Length; 0: none is known."""
    boost: float
    """Peak of the warm-up relative to the steady level, 1 without one."""
    starts: int
    """Starts it was learned from."""


def warm_up(starts: Sequence[tuple[Ints, Floats]]) -> WarmUp:
    """The warm-up common to several starts, each as (seconds since the start, millicores) over at least half an hour."""
    usable = [(t, cpu) for t, cpu in starts if len(t) and t[-1] >= 2 * LONGEST_MINUTES * MINUTE_S]
    if len(usable) < STARTS_NEEDED:
        return WarmUp(0, 1.0, len(usable))
    ratios = np.full((len(usable), LONGEST_MINUTES), np.nan)
    for row, (t, cpu) in enumerate(usable):
        steady = float(np.median(cpu[t >= LONGEST_MINUTES * MINUTE_S]))
        for minute in range(LONGEST_MINUTES):
            of_minute = cpu[(t >= minute * MINUTE_S) & (t < (minute + 1) * MINUTE_S)]
            if len(of_minute) and steady > 0:
                ratios[row, minute] = of_minute.mean() / steady
    known = np.isfinite(ratios).any(axis=0)
    typical = np.array([np.nanmedian(ratios[:, m]) if known[m] else 0.0 for m in range(LONGEST_MINUTES)])
    high = typical > FACTOR
    if not high[0]:
        return WarmUp(0, 1.0, len(usable))
    minutes = LONGEST_MINUTES if high.all() else int(np.argmin(high))
    return WarmUp(minutes * MINUTE_S, float(typical[:minutes].max()), len(usable))


def steady_samples(warm: WarmUp, seconds_since_start: Ints) -> np.typing.NDArray[np.bool_]:
    """Which samples are to be learned from for the CPU request: those after the warm-up. Memory is learned from all."""
    steady: np.typing.NDArray[np.bool_] = seconds_since_start >= warm.seconds
    return steady
