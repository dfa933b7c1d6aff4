"""A recommendation for every container, with the provenance of every number: a pure pass over histories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import numpy as np

from recommender.amounts import Floats
from recommender.grid import CPU_GRID, CPU_THRESHOLD, MEMORY_THRESHOLD, Changed, change, rounded, shrink_allowed
from recommender.history import History, Window, window
from recommender.prices import Prices
from recommender.risk import Levels, Risk, declared, start_levels
from recommender.sizing import Sizes, sizes, staffing
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
            yield from _chunk(
                members[start : start + CHUNK], today, classes[name], declared(classes[name], cost), prices
            )


@dataclass(frozen=True, slots=True)
class _Pass:
    """The columns of one chunk."""

    wclass: WorkloadClass
    risk: Risk
    of: Window
    levels: Levels
    found: Sizes
    staffed: Floats
    cpu: Changed
    memory: Changed


def _chunk(
    subjects: Sequence[Subject], today: int, wclass: WorkloadClass, risk: Risk, prices: Prices
) -> Iterator[Recommendation]:
    of = window([subject.history for subject in subjects], today)
    start_cpu, start_memory = start_levels(wclass)
    levels = Levels(
        np.array([start_cpu if s.cpu_level is None else s.cpu_level for s in subjects]),
        np.array([start_memory if s.memory_level is None else s.memory_level for s in subjects]),
    )
    found = sizes(of, wclass, risk, levels)
    staffed = _staffed(subjects, wclass)
    wanted = np.where(np.isfinite(found.cpu), np.maximum(found.cpu, staffed), np.nan)
    old_cpu = np.array([s.cpu or np.nan for s in subjects], dtype=np.float64)
    old_memory = np.array([s.memory or np.nan for s in subjects], dtype=np.float64)
    since = np.array([s.hours_since_change for s in subjects])
    may_shrink = shrink_allowed(wclass, of.known.sum(axis=1) * 24.0)
    cpu = change(old_cpu, wanted, wclass.step, CPU_THRESHOLD, since, may_shrink)
    memory = change(old_memory, found.memory, wclass.step, MEMORY_THRESHOLD, since, may_shrink)
    columns = _Pass(wclass, risk, of, levels, found, staffed, cpu, memory)
    for row, subject in enumerate(subjects):
        if np.isfinite(found.cpu[row]):
            yield _one(subject, row, columns, prices)


def _staffed(subjects: Sequence[Subject], wclass: WorkloadClass) -> Floats:
    """The staffing floor of each on the grid, millicores."""
    factor = wclass.cpu.staffing_factor_thousandths
    floors = [staffing(s.busy_cores, s.replicas, factor) if factor else 0 for s in subjects]
    return rounded(np.minimum(np.array(floors, dtype=np.float64), wclass.bounds.cpu_max), CPU_GRID)


def _one(subject: Subject, row: int, of: _Pass, prices: Prices) -> Recommendation:
    days = int(of.of.known[row].sum())
    cpu, memory = _whole(of.cpu.value[row]), _whole(of.memory.value[row])
    saving = prices.of(
        subject.cpu - cpu if subject.cpu else 0, subject.memory - memory if subject.memory and memory else 0
    )
    by_staffing = bool(of.staffed[row] > of.found.cpu[row])
    provenance = Provenance(
        "staffing" if by_staffing else "usage",
        _formula(row, of),
        int(of.of.samples[row].sum()),
        days,
        _clamps(row, of, by_staffing=by_staffing),
        saving,
    )
    return Recommendation(
        subject.key, cpu, memory, confidence(days, of.wclass), float(of.found.overrun[row]), of.risk, provenance
    )


def _whole(value: float) -> int:
    return int(value) if np.isfinite(value) else 0


def _clamps(row: int, of: _Pass, *, by_staffing: bool) -> tuple[str, ...]:
    rules = (
        ("class bounds", of.found.clamped[row]),
        ("staffing floor", by_staffing),
        ("cpu step", of.cpu.step_limited[row]),
        ("cpu held", of.cpu.held[row]),
        ("memory step", of.memory.step_limited[row]),
        ("memory held", of.memory.held[row]),
    )
    return tuple(name for name, applied in rules if applied)


def _formula(row: int, of: _Pass) -> str:
    risk, levels = of.risk, of.levels
    basis = "mean use, above" if of.found.floored_by_mean[row] else "least with"
    return (
        f"cpu {of.found.cpu_raw[row]:.0f}m: {basis} predicted overrun within {risk.overrun:.1%} of time and unmet demand within"
        f" {risk.unmet:.1%} of use, at level {levels.cpu[row]:.2g};"
        f" memory: least with P(breach day) within {risk.breach:.1%}, at level {levels.memory[row]:.2g}"
    )
