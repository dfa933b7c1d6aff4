"""The measured part of a trace's time."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.meter import SECONDS_PER_HOUR
from simulator.trace import Trace


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds of the trace that are measured; what happens before is replayed but not counted."""

    begin_s: int
    end_s: int


def window_of(trace: Trace, warm_up_s: int = 0, until_s: int | None = None) -> Window:
    """From the first arrival, plus a warm-up, to the last arrival or departure, or to `until_s`.

    A trace without times (or whose pods all come at one moment and stay) is measured as it stands after the last pod, for one hour.

    Raises:
        ValueError: nothing would be left to measure.
    """
    if not trace.pods:
        return Window(0, SECONDS_PER_HOUR)
    first = min(pod.arrival_s for pod in trace.pods)
    last = max(max(pod.arrival_s, pod.departure_s or 0) for pod in trace.pods)
    end = until_s if until_s is not None else last if last > first else first + SECONDS_PER_HOUR
    if end <= first + warm_up_s:
        raise ValueError(
            f"warm-up of {warm_up_s} s: measuring would begin at {first + warm_up_s} s and end at {end} s; shorten the warm-up"
        )
    return Window(first + warm_up_s, end)
