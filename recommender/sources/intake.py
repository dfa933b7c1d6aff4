"""The gate between the sources of usage and learning: each second of each container is learned once, and nothing impossible is.

Pure: the time is given, what was refused is returned. Sources may overlap, repeat themselves, come late and in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from recommender.remembering.coverage import Coverage
from recommender.sources.observation import UsageSample

ContainerKey = tuple[str, str, str]
"""Namespace, pod, container."""

MAX_CPU: Final = 1_024_000.0
"""Millicores. No machine has 1024 cores for one container; VPA's histograms end at 1000."""
MAX_MEMORY: Final = float(2**46)
"""Bytes. The largest machines have 32 TiB."""


class DropReason(StrEnum):
    """Why a sample, or a part of it, was not learned."""

    CPU = "cpu"
    """CPU is not a number, negative, or more than any machine has."""
    MEMORY = "memory"
    """Memory is negative or more than any machine has; the sample was learned without it."""
    THROTTLED = "throttled"
    """The throttled share is outside 0..1; the sample was learned without it."""
    WINDOW = "window"
    """The sample stands for no time, for a negative one, for more than is meaningful as a mean, or for a time before 1970."""
    FUTURE = "future"
    """It ends later than now, by more than clocks may differ."""
    LATE = "late"
    """Its time has been closed: the day has been learned already."""
    COVERED = "covered"
    """Its time has been measured already: the same sample again, or one of another source."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What is still believed."""

    future_s: int = 300
    """Seconds that a clock may be ahead of ours. Kubelets stamp their measurements with their own clock."""
    max_window_s: int = 3600
    """The longest time that a mean may stand for: a longer one says nothing about peaks."""
    max_cpu: float = MAX_CPU
    """Millicores; the size of the largest node is a sharper bound."""
    max_memory: float = MAX_MEMORY
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The outcome of one batch."""

    samples: list[UsageSample]
    """To be learned, in the order of their arrival. The time of each was never learned before."""
    dropped: Mapping[DropReason, int]
    """Samples refused (or learned only in part), by reason."""


class Intake:
    """Admits samples; remembers for each container which time has been learned and is not closed yet.

    A sample whose time is partly covered is admitted for the rest: its CPU is a mean and its memory a level, so both hold for a part.
    About 0.3 KiB for a container that is measured without holes, at most 1.3 KiB.
    """

    def __init__(self, tolerances: Tolerances = Tolerances()) -> None:
        self._tolerances = tolerances
        self._covered: dict[ContainerKey, Coverage] = {}
        self._open_from_s = 0

    @property
    def containers(self) -> int:
        """Containers with measured time that is still open."""
        return len(self._covered)

    @property
    def open_from_s(self) -> int:
        """Samples may still be learned from this time on."""
        return self._open_from_s

    def close_before(self, t_s: int) -> None:
        """Close all time before `t_s`, such as the days that have been learned: what comes later for it is late. Never reopens."""
        if t_s <= self._open_from_s:
            return
        self._open_from_s = t_s
        for coverage in self._covered.values():
            coverage.forget_before(t_s)
        self._covered = {key: coverage for key, coverage in self._covered.items() if coverage}

    def offer(self, samples: Iterable[UsageSample], now_s: float) -> Admission:
        """Admit what is believable and new of a batch. `now_s`: Unix seconds."""
        admitted: list[UsageSample] = []
        dropped: Counter[DropReason] = Counter()
        for sample in samples:
            reason = self._impossible(sample, now_s)
            if reason is not None:
                dropped[reason] += 1
                continue
            sound = self._without_impossible_parts(sample, dropped)
            start = max(sound.t_s - sound.window_s, self._open_from_s)
            if start >= sound.t_s:
                dropped[DropReason.LATE] += 1
                continue
            key = (sound.namespace, sound.pod, sound.container)
            coverage = self._covered.get(key)
            if coverage is None:
                coverage = self._covered[key] = Coverage()
            parts = coverage.claim(start, sound.t_s)
            if not parts:
                dropped[DropReason.COVERED] += 1
            for part_start, part_end in parts:
                admitted.append(_part(sound, part_start, part_end))
        return Admission(admitted, dropped)

    def _impossible(self, sample: UsageSample, now_s: float) -> DropReason | None:
        if not 0 <= sample.cpu <= self._tolerances.max_cpu:  # also refuses NaN
            return DropReason.CPU
        if not 0 < sample.window_s <= self._tolerances.max_window_s or sample.t_s < sample.window_s:
            return DropReason.WINDOW
        if sample.t_s > now_s + self._tolerances.future_s:
            return DropReason.FUTURE
        return None

    def _without_impossible_parts(self, sample: UsageSample, dropped: Counter[DropReason]) -> UsageSample:
        memory, throttled = sample.memory, sample.throttled
        if not (math.isnan(memory) or 0 <= memory <= self._tolerances.max_memory):
            memory = math.nan
            dropped[DropReason.MEMORY] += 1
        if not (math.isnan(throttled) or 0 <= throttled <= 1):
            throttled = math.nan
            dropped[DropReason.THROTTLED] += 1
        if memory is sample.memory and throttled is sample.throttled:
            return sample
        return UsageSample(
            sample.namespace,
            sample.pod,
            sample.container,
            sample.t_s,
            sample.window_s,
            sample.cpu,
            memory,
            throttled,
        )


def _part(sample: UsageSample, start: int, end: int) -> UsageSample:
    """The sample for a part of its time."""
    if end == sample.t_s and end - start == sample.window_s:
        return sample
    return UsageSample(
        sample.namespace,
        sample.pod,
        sample.container,
        end,
        end - start,
        sample.cpu,
        sample.memory,
        sample.throttled,
    )
