"""From the series of one stretch of time to samples. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from recommender.sources.counters import Increase, increases
from recommender.sources.observation import UsageSample
from recommender.sources.prometheus_api import Labels, Series

_Points = dict[float, float]
"""Value by the time of evaluation."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Answers to the six queries, evaluated at the same times."""

    first_s: int
    """The first time of evaluation: what was read then has been looked at before."""
    cpu: list[Series]
    measured_at: list[Series]
    memory: list[Series]
    throttled: list[Series]
    periods: list[Series]
    started: list[Series]


@dataclass(slots=True)
class Extract:
    """What the readings say."""

    samples: list[UsageSample] = field(default_factory=list)
    newest: dict[Labels, float] = field(default_factory=dict)
    """End of the newest sample of each series, Unix seconds."""
    resets: int = 0


def extract(readings: Readings, longest_s: float, delivered: Mapping[Labels, float]) -> Extract:
    """The samples between the readings of each container, the oldest first.

    A sample stands for the time between two readings as they were taken, not as they were asked for: an old reading that Prometheus
    repeats (it does for five minutes) is no measurement of no usage. The start of a container counts as a reading of 0.

    Args:
        readings: the answers.
        longest_s: readings further apart make no sample.
        delivered: by series, until when samples have been delivered; only what ends later is returned.
    """
    found = Extract()
    measured_at, memory, started = (_by_labels(of) for of in (readings.measured_at, readings.memory, readings.started))
    throttled, periods = _by_labels(readings.throttled), _by_labels(readings.periods)
    for labels, counted in _by_labels(readings.cpu).items():
        times = measured_at.get(labels, {})
        evaluated: dict[float, float] = {}
        for at in sorted(counted.keys() & times.keys()):
            evaluated.setdefault(times[at], at)
        starts = _starts(started.get(labels, {}), times.get(float(readings.first_s), -math.inf))
        of_memory = memory.get(Labels(labels.namespace, labels.pod, labels.container), {})
        share = _Shares(throttled.get(labels, {}), periods.get(labels, {}))
        for step in _steps({t_s: counted[at] for t_s, at in evaluated.items()}, starts, longest_s):
            start, end = round(step.start_s), round(step.end_s)
            if step.end_s <= delivered.get(labels, -math.inf) or start == end:
                continue
            found.resets += step.reset
            at = evaluated[step.end_s]
            found.newest[labels] = step.end_s
            found.samples.append(
                UsageSample(
                    labels.namespace,
                    labels.pod,
                    labels.container,
                    end,
                    end - start,
                    1000 * step.amount / (step.end_s - step.start_s),
                    of_memory.get(at, math.nan),
                    share.between(evaluated.get(step.start_s), at),
                )
            )
    found.samples.sort(key=lambda sample: sample.t_s)
    return found


def _starts(started: _Points, known_s: float) -> list[float]:
    """When the container was started, after a reading that has been looked at before; ascending."""
    return sorted({t_s for t_s in started.values() if t_s > known_s})


def _steps(readings: Mapping[float, float], starts: Sequence[float], longest_s: float) -> list[Increase]:
    """The increases of a counter that began at 0 at each start. What it counted between its last reading and the next start is unknown."""
    edges = [-math.inf, *starts, math.inf]
    steps: list[Increase] = []
    for start, after in pairwise(edges):
        of_run = [(t_s, value) for t_s, value in readings.items() if start <= t_s < after]
        if start in starts and start not in readings:
            of_run.append((start, 0.0))
        steps += increases(of_run, longest_s)
    return steps


class _Shares:
    """The share of throttled periods between two readings of a container."""

    def __init__(self, throttled: _Points, periods: _Points) -> None:
        self._throttled = throttled
        self._periods = periods

    def between(self, start: float | None, end: float) -> float:
        """0..1; NaN where a counter is missing or began again, and where no period passed. `start` is None for the container's own."""
        throttled = self._throttled.get(end, math.nan) - self._at(self._throttled, start)
        periods = self._periods.get(end, math.nan) - self._at(self._periods, start)
        return min(1.0, throttled / periods) if periods > 0 and throttled >= 0 else math.nan

    @staticmethod
    def _at(counter: _Points, start: float | None) -> float:
        return 0.0 if start is None else counter.get(start, math.nan)


def _by_labels(series: Iterable[Series]) -> dict[Labels, _Points]:
    points: dict[Labels, _Points] = defaultdict(dict)
    for one in series:
        points[one.metric].update((at, float(value)) for at, value in one.values)
    return points
