"""What every right-sizer in a replay is: it recommends at the start of a day, and learns a day only after it has been judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.replaying.usage import Usage


@dataclass(frozen=True, slots=True)
class Requests:
    """What each container would get for one day, by container number; NaN: nothing is recommended."""

    cpu: Floats
    """Millicores, whole numbers."""
    memory: Floats
    """Bytes, whole numbers."""
    memory_limit: Floats
    """Bytes; more than this is a breach (an OOM kill)."""


class Strategy(Protocol):
    """A right-sizer of a whole recording."""

    def recommend(self, day: int) -> Requests:
        """Requests for the day, from the days observed so far."""

    def observe(self, day: int, requests: Requests, breached: NDArray[np.bool_]) -> None:
        """Learn the day: what was used, what had been requested, and where memory exceeded the limit."""


def whole(values: Floats) -> Floats:
    """Rounded up to whole millicores or bytes; a tolerance of 1e-9 keeps 25.000000001 at 25."""
    return np.ceil(values * (1 - 1e-9))


def rows_of_day(usage: Usage, day: int) -> NDArray[np.int64]:
    """Positions of the samples of one day, by container, then time."""
    starts = usage.bounds[np.arange(len(usage.names)) * usage.days + day]
    ends = usage.bounds[np.arange(len(usage.names)) * usage.days + day + 1]
    lengths = ends - starts
    if not lengths.sum():
        return np.zeros(0, dtype=np.int64)
    offsets = np.repeat(starts - np.concatenate(([0], lengths.cumsum()[:-1])), lengths)
    return np.arange(lengths.sum()) + offsets
