"""From the series of one stretch of time to samples. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from recommender.observation import UsageSample
from recommender.sources.counters import increases
from recommender.sources.prometheus_api import Labels, Series

_Points = dict[float, float]
"""Value by the time of evaluation."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Answers to the five queries, evaluated at the same times."""

    cpu: list[Series]
    measured_at: list[Series]
    memory: list[Series]
    throttled: list[Series]
    periods: list[Series]


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
    repeats (it does for five minutes) is no measurement of no usage.

    Args:
        readings: the answers.
        longest_s: readings further apart make no sample.
        delivered: by series, until when samples have been delivered; only what ends later is returned.
    """
    found = Extract()
    measured_at, memory = _by_labels(readings.measured_at), _by_labels(readings.memory)
    throttled, periods = _by_labels(readings.throttled), _by_labels(readings.periods)
    for labels, counted in _by_labels(readings.cpu).items():
        times = measured_at.get(labels, {})
        evaluated: dict[float, float] = {}
        for at in sorted(counted.keys() & times.keys()):
            evaluated.setdefault(times[at], at)
        of_memory = memory.get(Labels(labels.namespace, labels.pod, labels.container), {})
        share = _Shares(throttled.get(labels, {}), periods.get(labels, {}))
        for step in increases(((t_s, counted[at]) for t_s, at in evaluated.items()), longest_s):
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
                    share.between(evaluated[step.start_s], at),
                )
            )
    found.samples.sort(key=lambda sample: sample.t_s)
    return found


class _Shares:
    """The share of throttled periods between two readings of a container."""

    def __init__(self, throttled: _Points, periods: _Points) -> None:
        self._throttled = throttled
        self._periods = periods

    def between(self, start: float, end: float) -> float:
        """0..1; NaN where a counter is missing or began again, and where no period passed."""
        throttled = self._throttled.get(end, math.nan) - self._throttled.get(start, math.nan)
        periods = self._periods.get(end, math.nan) - self._periods.get(start, math.nan)
        return min(1.0, throttled / periods) if periods > 0 and throttled >= 0 else math.nan


def _by_labels(series: Iterable[Series]) -> dict[Labels, _Points]:
    points: dict[Labels, _Points] = defaultdict(dict)
    for one in series:
        points[one.metric].update((at, float(value)) for at, value in one.values)
    return points
