"""A recommendation for every container, with the provenance of every number: a pure pass over histories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import numpy as np

from recommender.remembering.history import History, Window, window
from recommender.risk import Levels, Risk, declared, start_levels
from recommender.sizing.prices import Prices
from recommender.sizing.sized import Before, Sized, settle, staffing_floors, whole
from recommender.sizing.sizing import sizes
from stowplan.model.profile import Confidence
from stowplan.model.workload_class import Cost, WorkloadClass

CHUNK: Final = 512
"""Containers sized at once: bounds the memory of a pass."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One container and all that is known of it."""

    key: str
    """`namespace/kind/name/container`; stable, unique."""
    history: History
    class_name: str
    cost: Cost | None = None
    """Overrides the class's place on the frontier."""
    cpu_level: float | None = None
    memory_level: float | None = None
    """Levels of the calibration (recommender.risk); None: those at which the class starts."""
    cpu: int = 0
    """Current request in millicores; 0: none."""
    memory: int = 0
    """Current request in bytes; 0: none."""
    hours_since_change: int = 24 * 365
    replicas: int = 1
    busy_cores: float = 0.0
    """Mean busy cores of all replicas in the busiest hour."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a recommendation comes from."""

    source: str
    """`usage` or `staffing`."""
    formula: str
    """In words and numbers, as a person would check it."""
    samples: int
    window_days: int
    clamps: tuple[str, ...]
    """Which rules changed the estimate, in the order in which they were applied."""
    saving_micro_usd_per_hour: int
    """Per replica, against the current request; negative: costs more."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Requests of one container."""

    key: str
    cpu: int
    """Millicores."""
    memory: int
    """Bytes; 0 where memory was never observed."""
    confidence: Confidence
    predicted_overrun: float
    risk: Risk
    provenance: Provenance = field(repr=False)


def confidence(days: int, wclass: WorkloadClass) -> Confidence:
    """Low below the class's least history, high from two whole weeks (or the class's window, if that is shorter)."""
    if days * 24 < wclass.cpu.min_history_hours:
        return Confidence.LOW
    return Confidence.HIGH if days >= min(14, max(7, wclass.cpu.window_days)) else Confidence.MEDIUM


def recommend(
    subjects: Sequence[Subject], today: int, classes: Mapping[str, WorkloadClass], prices: Prices
) -> Iterator[Recommendation]:
    """Recommendations for all containers with at least one observed day, by class, then in the order given.

    Raises:
        KeyError: a subject names a class that is not in `classes`.
    """
    ordered = sorted(subjects, key=lambda s: (s.class_name, s.cost or ""))
    for (name, cost), group in groupby(ordered, key=lambda s: (s.class_name, s.cost)):
        members = list(group)
        for start in range(0, len(members), CHUNK):
            yield from _chunk(members[start : start + CHUNK], today, classes[name], cost, prices)


def _chunk(
    subjects: Sequence[Subject], today: int, wclass: WorkloadClass, cost: Cost | None, prices: Prices
) -> Iterator[Recommendation]:
    of, risk = window([subject.history for subject in subjects], today), declared(wclass, cost)
    start_cpu, start_memory = start_levels(wclass, cost)
    levels = Levels(
        np.array([start_cpu if s.cpu_level is None else s.cpu_level for s in subjects]),
        np.array([start_memory if s.memory_level is None else s.memory_level for s in subjects]),
    )
    since = np.array([s.hours_since_change for s in subjects])
    old_cpu = np.array([s.cpu or np.nan for s in subjects], dtype=np.float64)
    old_memory = np.array([s.memory or np.nan for s in subjects], dtype=np.float64)
    staffed = staffing_floors([(s.busy_cores, s.replicas) for s in subjects], wclass)
    before = Before(old_cpu, old_memory, since, since)
    found = sizes(of, wclass, risk, levels)
    sized = settle(found, wclass, risk, levels, staffed, before, of.known.sum(axis=1) * 24.0)
    for row, subject in enumerate(subjects):
        if np.isfinite(found.cpu[row]):
            yield _one(subject, row, of, sized, prices)


def _one(subject: Subject, row: int, of: Window, sized: Sized, prices: Prices) -> Recommendation:
    days = int(of.known[row].sum())
    cpu, memory = whole(sized.cpu.value[row]), whole(sized.memory.value[row])
    saving = prices.of(
        subject.cpu - cpu if subject.cpu else 0, subject.memory - memory if subject.memory and memory else 0
    )
    provenance = Provenance(
        "staffing" if sized.by_staffing(row) else "usage",
        sized.formula(row),
        int(of.samples[row].sum()),
        days,
        sized.clamps(row),
        saving,
    )
    return Recommendation(
        subject.key,
        cpu,
        memory,
        confidence(days, sized.wclass),
        float(sized.found.overrun[row]),
        sized.risk,
        provenance,
    )
