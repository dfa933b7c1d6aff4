"""Takes samples and incidents into the fleet: whose they are, which day or run they belong to, and what they say about demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from recommender.amounts import DAY_S
from recommender.remembering.learned import Learned
from recommender.remembering.open_sketches import HOUR_S, Batch
from recommender.remembering.starts import KEPT, warm_up_of
from recommender.remembering.throttling import demand
from recommender.sources.observation import Incident, UsageSample
from recommender.workloads.fleet import Fleet, Tracked
from stowplan.model.workload import Workload, WorkloadKey

SLICE: Final = 2_000
"""Samples taken in before other tasks get a turn."""
FUTURE_S: Final = 300
"""A clock may be this much ahead of ours."""
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """Where the samples of a container of a pod belong."""

    workload: Workload
    by_runs: bool = False
    started_s: int = 0
    """When the container started; 0: unknown."""
    cpu_limit: int = 0
    """Millicores; 0: none, or unknown."""
    init: bool = False
    """Whether it is an init container that ends."""


Locate = Callable[[str, str, str], Place | None]
"""The place of a namespace, pod and container; None where nobody knows the pod, or does not care."""


class Dropped(StrEnum):
    """Why a sample was not learned from."""

    UNKNOWN_POD = "UnknownPod"
    LATE = "Late"
    """Its day is closed."""
    FUTURE = "Future"
    INVALID = "Invalid"
    FULL = "Full"
    """The fleet holds as many containers as it may."""


@dataclass
class _Columns:
    """Samples on their way into arrays."""

    rows: list[int] = field(default_factory=list)
    t_s: list[int] = field(default_factory=list)
    window_s: list[int] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    steady: list[bool] = field(default_factory=list)
    pods: dict[tuple[int, int], set[str]] = field(default_factory=dict)
    """Pods seen by row and hour."""

    def add(self, row: int, sample: UsageSample, cpu: float, *, steady: bool) -> None:
        self.rows.append(row)
        self.t_s.append(sample.t_s)
        self.window_s.append(sample.window_s)
        self.cpu.append(cpu)
        self.memory.append(sample.memory)
        self.steady.append(steady)
        self.pods.setdefault((row, (sample.t_s - 1) // HOUR_S), set()).add(sample.pod)

    def batch(self) -> Batch:
        pods = [len(self.pods[row, (t_s - 1) // HOUR_S]) for row, t_s in zip(self.rows, self.t_s, strict=True)]
        return Batch(
            np.array(self.rows, dtype=np.int64),
            np.array(self.t_s, dtype=np.int64),
            np.array(self.window_s, dtype=np.int64),
            np.array(self.cpu, dtype=np.float64),
            np.array(self.memory, dtype=np.float64),
            np.array(self.steady, dtype=np.bool_),
            np.array(pods, dtype=np.int64),
        )


class Feeder:
    """Feeds one fleet.

    Args:
        fleet: what learns.
        locate: knows the pods.
        dropped: told the reason of each sample that is not learned from.
        throttled: told of each known share of throttled periods.
    """

    def __init__(
        self,
        fleet: Fleet,
        locate: Locate,
        dropped: Callable[[Dropped], None] = lambda _: None,
        throttled: Callable[[WorkloadKey, float], None] = lambda _key, _share: None,
    ) -> None:
        self._fleet = fleet
        self._locate = locate
        self._dropped = dropped
        self._throttled = throttled

    def take(self, samples: Sequence[UsageSample], now_s: int) -> None:
        """Learn from samples of any order."""
        for _ in self.slices(samples, now_s):
            pass

    def slices(self, samples: Sequence[UsageSample], now_s: int) -> Iterator[None]:
        """As `take`, with a pause after each `SLICE` samples."""
        days: dict[int, _Columns] = {}
        runs = _Columns()
        for number, sample in enumerate(samples, 1):
            self._one(sample, now_s, days, runs)
            if number % SLICE == 0:
                yield
        for day, columns in days.items():
            sketches = self._fleet.open_day(day)
            if sketches is None:  # closed while others had their turn
                for _ in columns.rows:
                    self._dropped(Dropped.LATE)
            else:
                sketches.add(columns.batch())
        if runs.rows:
            self._fleet.run_sketches.add(runs.batch())

    def _one(self, sample: UsageSample, now_s: int, days: dict[int, _Columns], runs: _Columns) -> None:
        if not (math.isfinite(sample.cpu) and sample.cpu >= 0 and sample.window_s > 0 and sample.t_s > 0):
            return self._dropped(Dropped.INVALID)
        if sample.t_s > now_s + FUTURE_S:
            return self._dropped(Dropped.FUTURE)
        place = self._locate(sample.namespace, sample.pod, sample.container)
        if place is None:
            return self._dropped(Dropped.UNKNOWN_POD)
        day = (sample.t_s - 1) // DAY_S
        by_runs = place.by_runs or place.init or self._fleet.by_runs(place.workload.key, sample.container)
        if not by_runs and day <= self._fleet.closed_through:
            return self._dropped(Dropped.LATE)
        tracked = self._track(place, sample.container, sample.t_s)
        if tracked is None:
            return self._dropped(Dropped.FULL)
        cpu = _demand(sample, place)
        learned = self._fleet.at(tracked.rows[sample.container])
        if math.isfinite(sample.throttled) and not learned.slow.init:
            self._throttled(tracked.key, sample.throttled)
        if tracked.by_runs or learned.slow.init:
            row = self._fleet.run_row(
                tracked.key, sample.pod, sample.container, place.started_s or sample.t_s, sample.t_s
            )
            runs.add(row, sample, cpu, steady=True)
        else:
            steady = self._is_steady(sample, place, tracked, cpu)
            days.setdefault(day, _Columns()).add(tracked.rows[sample.container], sample, cpu, steady=steady)
        return None

    def _track(self, place: Place, container: str, t_s: int) -> Tracked | None:
        return self._fleet.track(place.workload, (container,), t_s, by_runs=place.by_runs, init=place.init)

    def _is_steady(self, sample: UsageSample, place: Place, tracked: Tracked, cpu: float) -> bool:
        """Whether the sample lies behind the container's warm-up, which is learned on the way."""
        if not place.started_s:
            return True
        learned = self._fleet.at(tracked.rows[sample.container])
        key = (sample.namespace, sample.pod, sample.container)
        finished = self._fleet.starts.add(key, tracked.key, place.started_s, sample.t_s, cpu)
        if finished is not None:
            slow = learned.slow
            slow.starts = [*slow.starts, finished][-KEPT:]
            slow.warm_up_s = warm_up_of(slow.starts).seconds
            slow.as_of_s = max(slow.as_of_s, sample.t_s)
            tracked.version += 1
        return not 0 < sample.t_s - place.started_s <= learned.slow.warm_up_s

    def take_incident(self, incident: Incident, bump_percent: int) -> WorkloadKey | None:
        """Learn from an incident; the workload whose fate it is, None where that is unknown.

        What befalls an init container is learned, but says nothing about how the running pod fares: None.

        An OOM kill counts as a peak of max(limit + 100 MiB, bump % of limit), an eviction for memory as the same of what was used then
        (VPA's rule), and makes the workload urgent. Where limit or use is unknown the day's peak takes its place.
        """
        place = self._locate(incident.namespace, incident.pod, incident.container)
        if place is None:
            return None
        tracked = self._track(place, incident.container, incident.t_s)
        if tracked is None:
            return None
        learned = self._fleet.at(tracked.rows[incident.container])
        if incident.kind.for_memory:
            self._short_of_memory(incident, bump_percent, place, tracked)
        return None if learned.slow.init else tracked.key

    def _short_of_memory(self, incident: Incident, bump_percent: int, place: Place, tracked: Tracked) -> None:
        learned = self._fleet.at(tracked.rows[incident.container])
        if tracked.by_runs or learned.slow.init:
            started_s, sketches, day = place.started_s or incident.t_s, self._fleet.run_sketches, learned.slow.runs
            row = self._fleet.run_row(tracked.key, incident.pod, incident.container, started_s, incident.t_s)
        else:
            row, day = tracked.rows[incident.container], (incident.t_s - 1) // DAY_S
            day += day == self._fleet.closed_through  # its day has just been closed: the next one remembers it
            opened = self._fleet.open_day(day)
            if opened is None:  # told again, or long ago
                return
            sketches = opened
        had = incident.memory_limit or float(sketches.memory_peak[row])
        if had > 0:
            needed = max(had + 100 * _MIB, had * bump_percent / 100)
            sketches.raise_memory(row, needed)
            _note_oom(learned, day, needed, incident.t_s)
            tracked.urgent = True
            tracked.version += 1


def _note_oom(learned: Learned, day: int, needed: float, t_s: int) -> None:
    slow = learned.slow
    slow.oom_bytes = max(needed, slow.oom_bytes) if slow.oom_day == day else needed
    slow.oom_day, slow.as_of_s = day, max(slow.as_of_s, t_s)


def _demand(sample: UsageSample, place: Place) -> float:
    """What would have been used without the CPU limit."""
    if place.cpu_limit and math.isfinite(sample.throttled):
        return demand(sample.cpu, place.cpu_limit, min(max(sample.throttled, 0.0), 1.0))
    return sample.cpu
