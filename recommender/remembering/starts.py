"""Records how containers start, so that a warm-up common to several starts is recognised and not learned from (`warm_up`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recommender.amounts import Floats, Ints
from recommender.remembering.codes import MISSING, decode, encode
from recommender.remembering.warm_up import LONGEST_MINUTES, MINUTE_S, WarmUp, warm_up
from stowplan.model.workload import WorkloadKey

MINUTES: Final = 2 * LONGEST_MINUTES + 1
"""A start is recorded until its steady half is over."""
START_BYTES: Final = 2 * MINUTES
"""Length of a finished recording."""
KEPT: Final = 3
MOST: Final = 20_000
"""Recordings at one time: bounds memory where a whole cluster starts at once."""
_FIRST_SAMPLE_S: Final = 120
"""A start of which the first two minutes were missed says nothing about a warm-up."""

PodContainer = tuple[str, str, str]
"""Namespace, pod, container."""


@dataclass(slots=True)
class Recording:
    """One start, by minute."""

    started_s: int
    workload: WorkloadKey
    microcores: Ints = field(default_factory=lambda: np.zeros(MINUTES, np.int64))
    samples: Ints = field(default_factory=lambda: np.zeros(MINUTES, np.int64))

    def add(self, minute: int, cpu: float) -> None:
        """A sample in millicores."""
        self.microcores[minute] += round(cpu * 1000)
        self.samples[minute] += 1

    def finish(self) -> bytes:
        """Mean millicores of each minute, as codes; minutes without a sample are missing."""
        means = np.full(MINUTES, np.nan)
        known = self.samples > 0
        means[known] = self.microcores[known] / self.samples[known] / 1000
        return encode(means).astype("<u2").tobytes()


class Starts:
    """The starts going on."""

    def __init__(self) -> None:
        self.recordings: dict[PodContainer, Recording] = {}

    def add(self, key: PodContainer, workload: WorkloadKey, started_s: int, t_s: int, cpu: float) -> bytes | None:
        """A sample of a container that started at `started_s`; the finished recording once its time is over."""
        age = t_s - started_s
        recording = self.recordings.get(key)
        if recording is None or recording.started_s != started_s:
            self.recordings.pop(key, None)
            if not 0 <= age <= _FIRST_SAMPLE_S or len(self.recordings) >= MOST:
                return None
            recording = self.recordings[key] = Recording(started_s, workload)
        minute = max(0, (age - 1) // MINUTE_S)  # a sample stands for the time before it
        if minute < MINUTES:
            recording.add(minute, cpu)
        if minute < MINUTES - 1:
            return None
        del self.recordings[key]
        return recording.finish()

    def forget_before(self, started_s: int) -> None:
        """Drop recordings that began before: their pods are gone, or they would have ended."""
        for key in [key for key, recording in self.recordings.items() if recording.started_s < started_s]:
            del self.recordings[key]


def warm_up_of(starts: Sequence[bytes]) -> WarmUp:
    """The warm-up common to finished recordings."""
    return warm_up([_samples(start) for start in starts])


def _samples(start: bytes) -> tuple[Ints, Floats]:
    codes = np.frombuffer(start, "<u2").astype(np.uint16)
    minutes = np.flatnonzero(codes != MISSING)
    return minutes * MINUTE_S + MINUTE_S // 2, decode(codes[minutes])
