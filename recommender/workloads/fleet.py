"""The fleet in memory: every workload's containers, what was learned of each, and the days and runs that are not over.

Bounded: a container takes the same room whatever its replicas and samples (figures in docs/recommender.md), and there are at most
`limit` containers. All replicas of a workload pool into one history per container. Nothing here waits or knows of an API server.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recommender.amounts import DAY_S
from recommender.regression.regression import Watch
from recommender.remembering.learned import Learned, Slow
from recommender.remembering.open_sketches import OpenSketches, Rows
from recommender.remembering.starts import Starts
from stowplan.model.workload import Workload, WorkloadKey

GRACE_S: Final = 900
"""A day is closed this long after its end: late samples still belong to it."""
LONGEST_RUN_S: Final = DAY_S
"""A run that lasts longer counts once for each day."""
FIRST_LOOKS_S: Final = (600, 1800, 3600)
"""After so long a new workload is sized again without waiting for the next pass: in its first hour every look knows much more."""
LIMIT: Final = 200_000
SHARDS: Final = 64
"""Objects that what is open is divided among (`recommender.live.shards`)."""


def shard_of(key: WorkloadKey) -> int:
    """The shard of a workload; stable for ever, so that a restart finds it wherever it looks."""
    return zlib.crc32("/".join(key).encode()) % SHARDS


@dataclass(slots=True)
class Tracked:
    """One workload."""

    key: WorkloadKey
    api_version: str = ""
    by_runs: bool = False
    """Learned by runs of its pods, which end by themselves, not by days. Init containers that end are learned by runs in any case."""
    rows: dict[str, int] = field(default_factory=dict)
    """Row of each container."""
    last_seen_s: int = 0
    version: int = 1
    """Grows with every change that a checkpoint of the profile has to hold."""
    saved_version: int = 0
    digest: bytes = b""
    """Of what was last written to its profile."""
    written_s: int = 0
    """When its profile was last written."""
    watch: Watch = field(default_factory=Watch)
    """Whether it fares worse since its size changed."""
    urgent: bool = True
    """New, or hit by an incident: to be sized before the next pass."""
    first_s: int = 0
    """When it was first seen."""
    looks: int = 0
    """How many of the looks at `FIRST_LOOKS_S` are over."""
    shard: int = field(init=False)

    def __post_init__(self) -> None:
        self.shard = shard_of(self.key)

    @property
    def saved(self) -> bool:
        """Whether its written profile holds all that was learned."""
        return self.version == self.saved_version

    def look_due(self, now_s: int) -> bool:
        """Whether one more of the first looks is due; the answer is yes once for each."""
        passed = self.looks
        if passed < len(FIRST_LOOKS_S):
            self.looks = sum(now_s - self.first_s >= age_s for age_s in FIRST_LOOKS_S)
        return self.looks > passed


@dataclass(slots=True)
class OpenRun:
    """A run that is not over: one pod of a workload that is learned by runs, or the init containers of one pod of another workload."""

    started_s: int
    last_s: int
    rows: dict[str, int] = field(default_factory=dict)
    """Row in the runs' sketches by container."""


@dataclass
class Fleet:
    """All workloads."""

    limit: int = LIMIT
    workloads: dict[WorkloadKey, Tracked] = field(default_factory=dict)
    learned: list[Learned | None] = field(default_factory=list)
    """By row; None where the row is free."""
    days: dict[int, OpenSketches] = field(default_factory=dict)
    """By day since the epoch; at most a few."""
    closed_through: int = -1
    """The newest day that has been closed: samples up to it come too late."""
    runs: dict[WorkloadKey, dict[str, OpenRun]] = field(default_factory=dict)
    """By workload, then pod."""
    run_sketches: OpenSketches = field(default_factory=OpenSketches)
    starts: Starts = field(default_factory=Starts)
    _free: list[int] = field(default_factory=list)
    _free_runs: list[int] = field(default_factory=list)
    _run_rows: int = 0

    @property
    def containers(self) -> int:
        """Containers known."""
        return len(self.learned) - len(self._free)

    def at(self, row: int) -> Learned:
        """What was learned in a row that is in use."""
        found = self.learned[row]
        if found is None:
            raise LookupError(f"row {row} of the fleet is free")
        return found

    def track(
        self, workload: Workload, containers: Iterable[str], now_s: int, *, by_runs: bool, init: bool = False
    ) -> Tracked | None:
        """The workload with rows for these containers (`init`: they are init containers that end); None where the fleet is full."""
        key = workload.key
        tracked = self.workloads.get(key)
        missing = [name for name in containers if tracked is None or name not in tracked.rows]
        if self.containers + len(missing) > self.limit:
            return None
        if tracked is None:
            tracked = self.workloads[key] = Tracked(key, workload.api_version, by_runs, first_s=now_s)
        for name in missing:
            self.adopt(tracked, name, Learned(slow=Slow(init=init)))
            tracked.urgent = True
        tracked.last_seen_s = max(tracked.last_seen_s, now_s)
        return tracked

    def adopt(self, tracked: Tracked, container: str, learned: Learned) -> int:
        """Give a container a row with what is known of it."""
        if self._free:
            row = self._free.pop()
            self.learned[row] = learned
        else:
            row = len(self.learned)
            self.learned.append(learned)
        tracked.rows[container] = row
        return row

    def by_runs(self, key: WorkloadKey, container: str) -> bool:
        """Whether a container is learned by runs; not where nobody knows it."""
        tracked = self.workloads.get(key)
        if tracked is None:
            return False
        row = tracked.rows.get(container)
        return tracked.by_runs or (row is not None and self.at(row).slow.init)

    def retype(self, tracked: Tracked, container: str, *, init: bool) -> None:
        """Say whether a container is an init container that ends. One that has become another kind is learned anew: runs are no days."""
        row = tracked.rows[container]
        if self.at(row).slow.init != init:
            self.learned[row] = Learned(slow=Slow(init=init))
            for sketches in self.days.values():
                sketches.clear(row)
            tracked.version += 1

    def clear(self) -> None:
        """Forget everything; whoever holds on to `workloads` sees it empty."""
        self.workloads.clear()
        self.learned.clear()
        self.days.clear()
        self.runs.clear()
        self.closed_through = -1
        self.run_sketches, self.starts = OpenSketches(), Starts()
        self._free, self._free_runs, self._run_rows = [], [], 0

    def forget(self, key: WorkloadKey) -> None:
        """Drop a workload and all that is known of it; nothing happens where there is none."""
        tracked = self.workloads.pop(key, None)
        for row in tracked.rows.values() if tracked else ():
            self.learned[row] = None
            for sketches in self.days.values():
                sketches.clear(row)
            self._free.append(row)
        for pod in list(self.runs.get(key, ())):
            self.drop_run(key, pod)

    def open_day(self, day: int) -> OpenSketches | None:
        """The sketches of a day that can still be added to; None for one that is closed."""
        if day <= self.closed_through:
            return None
        sketches = self.days.get(day)
        if sketches is None:
            sketches = self.days[day] = OpenSketches()
        sketches.reserve(len(self.learned))
        return sketches

    def run_row(self, key: WorkloadKey, pod: str, container: str, started_s: int, t_s: int) -> int:
        """The row of a container of a run that is not over; the run is opened where it is new."""
        run = self.runs.setdefault(key, {}).get(pod)
        if run is None:
            run = self.runs[key][pod] = OpenRun(started_s, t_s)
        run.last_s = max(run.last_s, t_s)
        row = run.rows.get(container)
        if row is None:
            row = run.rows[container] = self._new_run_row()
        return row

    def _new_run_row(self) -> int:
        if self._free_runs:
            return self._free_runs.pop()
        self._run_rows += 1
        self.run_sketches.reserve(self._run_rows)
        return self._run_rows - 1

    def drop_run(self, key: WorkloadKey, pod: str) -> None:
        """Forget a run that is over, its rows included."""
        for row in self.runs[key].pop(pod).rows.values():
            self.run_sketches.clear(row)
            self._free_runs.append(row)
        if not self.runs[key]:
            del self.runs[key]

    def days_due(self, now_s: int) -> list[int]:
        """Days to be closed now, oldest first."""
        return sorted(day for day in self.days if (day + 1) * DAY_S + GRACE_S <= now_s)

    def rows(self) -> Rows:
        """All rows in use, ascending."""
        return np.array([row for row, learned in enumerate(self.learned) if learned is not None], dtype=np.int64)

    def by_row(self) -> Iterator[tuple[int, Tracked, str]]:
        """Row, workload and container of everything known, by workload."""
        for tracked in self.workloads.values():
            for container, row in tracked.rows.items():
                yield row, tracked, container
