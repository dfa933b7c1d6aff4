"""From the readings of a counter to what was used between them. Pure; used for CPU seconds and CFS periods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_RESTART_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Increase:
    """What a counter rose by between two readings."""

    start_s: float
    end_s: float
    amount: float
    """0 or more."""
    reset: bool = False
    """The counter began again at 0 in between: `amount` is what it has counted since, so at most what was used."""


def increases(
    readings: Iterable[tuple[float, float]], longest_s: float
) -> tuple[list[Increase], tuple[float, float] | None]:
    """The increases between readings (time, value) that follow each other, and the reading that the next one would follow.

    Times of readings may repeat and come in any order.

    The windows tile: what the counter rose by is in exactly one of them, and a gap between readings is bridged by one longer window,
    so nothing is extrapolated and no catching-up after a gap looks like a peak.

    A fall to less than half is a restart from 0. A smaller fall is the same counter as another scraper saw it a little earlier
    (replicas of Prometheus behind one endpoint take turns): taken for a restart, everything since the container's start would appear
    in one window. Such a reading is passed over, and the next that is not behind closes the window.

    Args:
        readings: of one counter. Readings that are negative or no number are passed over.
        longest_s: a longer gap is not bridged; counting goes on after it.
    """
    found: list[Increase] = []
    last: tuple[float, float] | None = None
    for t_s, value in sorted((t, v) for t, v in readings if 0 <= v < float("inf")):
        if last is None or t_s - last[0] > longest_s:
            last = (t_s, value)
            continue
        if t_s == last[0]:
            continue
        reset = value < last[1] * _RESTART_SHARE
        if value < last[1] and not reset:
            continue
        amount = value if reset else value - last[1]
        found.append(Increase(last[0], t_s, amount, reset))
        last = (t_s, value)
    return found, last
