"""All that is known of one container of a workload when no day is open: its history, its calibration, how it starts, what it was told."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from recommender.remembering.history import DAYS, History
from recommender.remembering.open_sketches import BusyHour
from recommender.remembering.runs import RUNS
from recommender.remembering.starts import START_BYTES
from recommender.risk import Risk

BUSY_DAYS: Final = 7
"""Staffing looks at the busiest hour of this many days."""
HORIZON_DAYS: Final = 56
"""Achieved risk is a mean over the judged days, over about this many where there are more."""
_SEPARATOR: Final = ";"


class Judged(msgspec.Struct, array_like=True):
    """Sums over judged days (runs), fading once there are more than `HORIZON_DAYS`."""

    days: float = 0.0
    overrun: float = 0.0
    """Sum of the days' shares of time with use above the request."""
    unmet: float = 0.0
    """Sum of the days' mean use above the request, millicores."""
    use: float = 0.0
    """Sum of the days' mean use, millicores."""
    memory_days: float = 0.0
    breaches: float = 0.0

    def add(self, overrun: float, unmet: float, use: float) -> None:
        """A day's CPU."""
        if self.days >= HORIZON_DAYS:
            kept = 1 - 1 / HORIZON_DAYS
            self.days, self.overrun = self.days * kept, self.overrun * kept
            self.unmet, self.use = self.unmet * kept, self.use * kept
        self.days, self.overrun = self.days + 1, self.overrun + overrun
        self.unmet, self.use = self.unmet + unmet, self.use + use

    def add_memory(self, *, breached: bool) -> None:
        """A day's memory."""
        if self.memory_days >= HORIZON_DAYS:
            kept = 1 - 1 / HORIZON_DAYS
            self.memory_days, self.breaches = self.memory_days * kept, self.breaches * kept
        self.memory_days, self.breaches = self.memory_days + 1, self.breaches + breached

    @property
    def achieved(self) -> Risk:
        """The risk achieved on the judged days; 0 where nothing was judged."""
        return Risk(
            self.overrun / self.days if self.days else 0.0,
            self.unmet / self.use if self.use else 0.0,
            self.breaches / self.memory_days if self.memory_days else 0.0,
        )


class Target(msgspec.Struct, array_like=True):
    """What is recommended under a class, and since when."""

    cpu: int
    """Millicores."""
    memory: int
    """Bytes; 0: never measured."""
    cpu_changed_s: int
    memory_changed_s: int


class Slow(msgspec.Struct, array_like=True):
    """What changes when a day is closed or a target changes."""

    as_of_s: int = 0
    runs: int = 0
    """Runs learned so far; 0 where days are."""
    level_class: str = ""
    """The class that the levels were calibrated for."""
    level_cpu: float = 1.0
    level_memory: float = 1.0
    judged: Judged = msgspec.field(default_factory=Judged)
    busy: dict[int, tuple[float, int]] = msgspec.field(default_factory=dict)
    """Busiest hour of the last days: mean busy cores of all replicas, and the replicas."""
    starts: list[bytes] = msgspec.field(default_factory=list)
    """How the last starts went, oldest first (`recommender.remembering.starts`)."""
    warm_up_s: int = 0
    targets: dict[str, Target] = msgspec.field(default_factory=dict)
    features: dict[str, str] = msgspec.field(default_factory=dict)
    """What makes it similar to others (`recommender.workloads.features`)."""
    oom_day: int = -1
    """The last day (run) with an OOM kill."""
    oom_bytes: float = 0.0
    """What that kill asked for."""
    init: bool = False
    """An init container that ends: learned by runs, one for each pod, whatever its workload is learned by."""


@dataclass(slots=True)
class Standing:
    """The recommendation that a day is judged by: as it stood when the day began."""

    day: int
    """Day (run) from which on it stands."""
    class_name: str
    cpu: float
    memory_limit: float
    """Bytes; infinity: none."""
    usual: float
    """Predicted mean use, millicores."""


@dataclass(slots=True)
class Learned:
    """One container of a workload."""

    history: History = field(default_factory=History)
    slow: Slow = field(default_factory=Slow)
    standing: Standing | None = None
    saved_through: int = -1
    """The newest day (run) of the history that a written profile holds."""

    @property
    def days(self) -> int:
        """Days (runs) known."""
        return int((self.history.days >= 0).sum())

    @property
    def newest(self) -> int:
        """The newest day (run) known; -1 without one."""
        return int(self.history.days.max())

    def remember_busy(self, day: int, hour: BusyHour) -> None:
        """Keep the busiest hour of a day."""
        self.slow.busy[day] = (hour.cores, hour.replicas)
        for old in sorted(self.slow.busy)[:-BUSY_DAYS]:
            del self.slow.busy[old]

    def busiest(self) -> BusyHour:
        """The busiest hour of the last days."""
        cores, replicas = max(self.slow.busy.values(), default=(0.0, 1))
        return BusyHour(cores, replicas)


def history_from(of: History, first: int) -> History:
    """The part of a history from a day (run) on."""
    part = History()
    kept = of.days >= first
    part.days[kept], part.codes[kept] = of.days[kept], of.codes[kept]
    return part


def add_days(to: History, days: History, runs: int = 0) -> None:
    """Add days (runs) that `to` lacks; of runs those older than the last `RUNS` of `runs` are dropped."""
    for slot in np.flatnonzero(days.days > to.days):
        to.days[slot], to.codes[slot] = days.days[slot], days.codes[slot]
    if runs:
        to.days[(to.days >= 0) & (to.days < runs - RUNS)] = -1


def encode_learned(of: Learned) -> str:
    """Everything as text for `status.checkpoint` of a WorkloadProfile, at most about 5 KiB."""
    slow = base64.b64encode(msgspec.msgpack.encode(of.slow)).decode()
    return f"{of.history.checkpoint()}{_SEPARATOR}{slow}"


def decode_learned(text: str) -> Learned:
    """What `encode_learned` wrote.

    Raises:
        ValueError: damaged, or of another format; the container then has to be learned again.
    """
    history_text, _, slow_text = text.partition(_SEPARATOR)
    history = History.from_checkpoint(history_text)
    slow = decode_slow(slow_text) if slow_text else Slow()
    learned = Learned(history, slow)
    learned.saved_through = learned.newest
    return learned


def decode_slow(text: str) -> Slow:
    """The state that `encode_learned` adds to the history. Raises ValueError where it is damaged."""
    try:
        slow = msgspec.msgpack.decode(base64.b64decode(text, validate=True), type=Slow)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise ValueError(f"state of a container is damaged ({error}); drop it and learn again") from error
    slow.starts = [start for start in slow.starts if len(start) == START_BYTES]
    return slow


def window_of_runs(of: Learned, today: int) -> History:
    """A history of runs as if the last one had ended yesterday and each one before it a day earlier."""
    moved = History()
    for run in of.history.days[of.history.days >= 0]:
        day = today - (of.slow.runs - int(run))
        moved.days[day % DAYS], moved.codes[day % DAYS] = day, of.history.codes[run % DAYS]
    return moved


def features_changed(of: Learned, features: Mapping[str, str]) -> bool:
    """Take over features; whether they differ from those known."""
    if of.slow.features == features:
        return False
    of.slow.features = dict(features)
    return True
