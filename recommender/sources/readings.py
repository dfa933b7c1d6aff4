"""From the series of one stretch of time to samples. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

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


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the counters of a container stood at."""

    t_s: float
    """Unix seconds, as it was measured."""
    cpu: float
    """Core-seconds."""
    throttled: float
    """CFS periods, of `periods`; NaN where unknown."""
    periods: float
    """CFS periods; NaN where unknown."""

    def throttled_since(self, before: Reading) -> float:
        """Share of the periods since then, 0..1; NaN where a counter is missing or began again, and where no period passed."""
        throttled, periods = self.throttled - before.throttled, self.periods - before.periods
        return min(1.0, throttled / periods) if periods > 0 and throttled >= 0 else math.nan


@dataclass(slots=True)
class Extract:
    """What the readings say."""

    samples: list[UsageSample] = field(default_factory=list)
    newest: dict[Labels, Reading] = field(default_factory=dict)
    """The reading that the next sample of each series begins with."""
    resets: int = 0


def extract(
    readings: Readings, longest_s: float, known: Mapping[Labels, Reading], after_s: float = -math.inf
) -> Extract:
    """The samples between the readings of each container, the oldest first.

    A sample stands for the time between two readings as they were taken, not as they were asked for: an old reading that Prometheus
    repeats (it does for five minutes) is no measurement of no usage. The start of a container counts as a reading of 0.

    Args:
        readings: the answers.
        longest_s: readings further apart make no sample.
        known: by series, the reading that its last sample ended with: the next one begins there, however long before these answers
            that was, and nothing that ends earlier is returned.
        after_s: nothing that ends by then is returned either.
    """
    found = Extract()
    measured_at, memory, started = (_by_labels(of) for of in (readings.measured_at, readings.memory, readings.started))
    throttled, periods = _by_labels(readings.throttled), _by_labels(readings.periods)
    for labels, counted in _by_labels(readings.cpu).items():
        times = measured_at.get(labels, {})
        evaluated = _evaluated(counted, times)
        of_throttled, of_periods = throttled.get(labels, {}), periods.get(labels, {})
        points = {
            t_s: Reading(t_s, counted[at], of_throttled.get(at, math.nan), of_periods.get(at, math.nan))
            for t_s, at in evaluated.items()
        }
        looked_at_s = times.get(float(readings.first_s), -math.inf)
        steps, last = _steps(points, known.get(labels), started.get(labels, {}), looked_at_s, longest_s)
        if last is not None:
            found.newest[labels] = last
        of_memory = memory.get(Labels(labels.namespace, labels.pod, labels.container), {})
        for step in steps:
            start, end = round(step.start_s), round(step.end_s)
            if step.end_s <= after_s or start == end:
                continue
            found.resets += step.reset
            found.samples.append(
                UsageSample(
                    labels.namespace,
                    labels.pod,
                    labels.container,
                    end,
                    end - start,
                    1000 * step.amount / (step.end_s - step.start_s),
                    of_memory.get(evaluated[step.end_s], math.nan),
                    points[step.end_s].throttled_since(points[step.start_s]),
                )
            )
    found.samples.sort(key=lambda sample: sample.t_s)
    return found


def _evaluated(counted: _Points, times: _Points) -> dict[float, float]:
    """By the time of each reading, when it was first given as an answer."""
    first: dict[float, float] = {}
    for at in sorted(counted.keys() & times.keys()):
        first.setdefault(times[at], at)
    return first


def _steps(
    points: dict[float, Reading], known: Reading | None, started: _Points, looked_at_s: float, longest_s: float
) -> tuple[list[Increase], Reading | None]:
    """The increases of a counter that began at 0 at each start, and the reading that the next one follows.

    What it counted between its last reading and the next start is unknown.

    Args:
        points: the readings by their time; those that are not among the answers, known or of a start, are added.
        known: the reading to begin with, if any.
        started: when the container was started.
        looked_at_s: a start by then has been looked at before.
        longest_s: readings further apart make no step.
    """
    if known is not None:
        looked_at_s = max(looked_at_s, known.t_s)
        points[known.t_s] = known
    starts = sorted({t_s for t_s in started.values() if t_s > looked_at_s})
    for t_s in starts:
        points.setdefault(t_s, Reading(t_s, 0.0, 0.0, 0.0))
    since_s = known.t_s if known is not None else -math.inf
    steps: list[Increase] = []
    last: tuple[float, float] | None = None
    for start, after in pairwise([since_s, *starts, math.inf]):
        of_run, newest = increases(((t_s, r.cpu) for t_s, r in points.items() if start <= t_s < after), longest_s)
        steps += of_run
        last = newest or last
    return steps, points[last[0]] if last is not None else None


def _by_labels(series: Iterable[Series]) -> dict[Labels, _Points]:
    points: dict[Labels, _Points] = defaultdict(dict)
    for one in series:
        points[one.metric].update((at, float(value)) for at, value in one.values)
    return points
