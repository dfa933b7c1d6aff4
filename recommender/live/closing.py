"""Closes days and runs: each is judged by the recommendation that stood when it began, and only then learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.remembering.history import Sketch
from recommender.remembering.learned import Judged, Learned
from recommender.remembering.open_sketches import OpenSketches
from recommender.remembering.runs import RUNS
from recommender.risk import Levels, Risk, declared, start_levels
from recommender.workloads.fleet import LONGEST_RUN_S, Fleet, Tracked
from stowplan.model.workload import WorkloadKey
from stowplan.model.workload_class import Cost, WorkloadClass

SLICE: Final = 512
"""Containers closed before other tasks get a turn."""
RUN_GRACE_S: Final = 120
"""A run is closed this long after its last sample: the next one may be on its way."""
_SOON_RUNS: Final = 3
"""After each of its first runs a job is sized at once."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the pods of a workload run under."""

    wclass: WorkloadClass
    cost: Cost | None = None
    """The pods' own place on the frontier; None: the class's."""

    @property
    def risk(self) -> Risk:
        """What is declared."""
        return declared(self.wclass, self.cost)


TermsOf = Callable[[Tracked], Terms]


@dataclass(frozen=True, slots=True)
class _Case:
    """A container whose day (run) is over."""

    row: int
    """In the sketches."""
    number: int
    """Of the day or run."""
    learned: Learned
    terms: Terms


def close_day(fleet: Fleet, day: int, terms_of: TermsOf, now_s: int) -> Iterator[None]:
    """Judge and learn a day of all containers, slice by slice; samples that still come for it are late from now on."""
    fleet.closed_through = max(fleet.closed_through, day)
    sketches = fleet.days[day]
    used = set(sketches.used().tolist())
    cases: list[_Case] = []
    for tracked in list(fleet.workloads.values()):
        rows = [row for row in tracked.rows.values() if row in used]
        if rows:
            terms = terms_of(tracked)
            cases += [_Case(row, day, fleet.at(row), terms) for row in rows if fleet.at(row).newest < day]
            tracked.version += 1
        if len(cases) >= SLICE:
            _close(sketches, cases, now_s)
            cases = []
            yield
    _close(sketches, cases, now_s)
    del fleet.days[day]


def close_run(fleet: Fleet, key: WorkloadKey, pod: str, terms_of: TermsOf, now_s: int) -> None:
    """Judge and learn a run that is over, or has lasted so long that it counts as one. A container without a sample had no run.

    An OOM kill comes before a sample where the container is short: what it asked for then belongs to the next run that has one.
    """
    run, tracked = fleet.runs[key][pod], fleet.workloads[key]
    rows = np.array(list(run.rows.values()), dtype=np.int64)
    sampled = dict(zip(run.rows, fleet.run_sketches.samples(rows) > 0, strict=True))
    terms = terms_of(tracked)
    cases = []
    for container, row in run.rows.items():
        learned = fleet.at(tracked.rows[container])
        if sampled[container] and (tracked.by_runs or learned.slow.init):
            if learned.slow.oom_day == learned.slow.runs:
                fleet.run_sketches.raise_memory(row, learned.slow.oom_bytes)
            cases.append(_Case(row, learned.slow.runs, learned, terms))
            learned.slow.runs += 1
    _close(fleet.run_sketches, cases, now_s)
    for case in cases:
        _forget_old_runs(case.learned)
    fleet.drop_run(key, pod)
    if cases:
        tracked.version += 1
        tracked.urgent = tracked.urgent or any(case.learned.slow.runs <= _SOON_RUNS for case in cases)


OfPod = Callable[[str, str], bool]
"""Something about a pod of a namespace and name."""


def runs_due(fleet: Fleet, alive: OfPod, preparing: OfPod, now_s: int) -> Sequence[tuple[WorkloadKey, str]]:
    """Runs to be closed: their pod does not run any more, or they have lasted a day.

    Of a workload that is learned by days only the init containers have runs: those are over once the pod is not preparing any more.
    """
    due = []
    for key, runs in fleet.runs.items():
        goes_on = alive if fleet.workloads[key].by_runs else preparing
        for pod, run in runs.items():
            quiet = now_s - run.last_s >= RUN_GRACE_S
            if now_s - run.started_s >= LONGEST_RUN_S or (quiet and not goes_on(key.namespace, pod)):
                due.append((key, pod))
    return due


def _forget_old_runs(learned: Learned) -> None:
    days = learned.history.days
    days[(days >= 0) & (days < learned.slow.runs - RUNS)] = -1


def _close(sketches: OpenSketches, cases: Sequence[_Case], now_s: int) -> None:
    if not cases:
        return
    _judge(sketches, cases)
    found = sketches.sketches(np.array([case.row for case in cases], dtype=np.int64))
    for case in cases:
        of_day: Sketch | None = found.get(case.row)
        if of_day is not None:
            case.learned.history.add(case.number, of_day)
            if not case.learned.slow.init:  # nobody waits in line for an init container: it is not staffed
                case.learned.remember_busy(case.number, sketches.busy_hour(case.row))
        case.learned.slow.as_of_s = max(case.learned.slow.as_of_s, now_s)


def _judge(sketches: OpenSketches, cases: Sequence[_Case]) -> None:
    """Hold the days against what stood, by class and place on the frontier; learn the levels and add up what was achieved."""
    groups: dict[tuple[str, Cost | None], list[_Case]] = {}
    for case in cases:
        begin_calibration(case.learned, case.terms)
        standing = case.learned.standing
        if standing is not None and standing.day <= case.number and standing.class_name == case.terms.wclass.name:
            groups.setdefault((case.terms.wclass.name, case.terms.cost), []).append(case)
    for members in groups.values():
        _judge_alike(sketches, members, members[0].terms.risk)


def begin_calibration(learned: Learned, terms: Terms) -> None:
    """Start the levels anew where the container runs under another class than they were calibrated for."""
    slow, name = learned.slow, terms.wclass.name
    if slow.level_class != name:
        slow.level_cpu, slow.level_memory = start_levels(terms.wclass, terms.cost)
        slow.level_class, slow.judged, learned.standing = name, Judged(), None


def _judge_alike(sketches: OpenSketches, cases: Sequence[_Case], risk: Risk) -> None:
    standings = [case.learned.standing for case in cases if case.learned.standing is not None]
    rows = np.array([case.row for case in cases], dtype=np.int64)
    asked = np.array([standing.cpu for standing in standings], dtype=np.float64)
    limits = np.array([standing.memory_limit for standing in standings], dtype=np.float64)
    usual = np.array([standing.usual for standing in standings], dtype=np.float64)
    overrun, unmet, use = sketches.above(rows, asked)
    nothing = sketches.samples(rows) == 0
    peaks = sketches.memory_peak[rows]
    breached, memory_judged = peaks > limits, (peaks > 0) & (limits > 0)
    slows = [case.learned.slow for case in cases]
    levels = Levels(np.array([slow.level_cpu for slow in slows]), np.array([slow.level_memory for slow in slows]))
    share = unmet / np.maximum(usual, 1.0)
    levels.learn_cpu(risk, np.where(nothing, np.nan, overrun), np.where(nothing, np.nan, share))
    levels.learn_memory(risk, memory_judged, breached)
    for i, slow in enumerate(slows):
        slow.level_cpu, slow.level_memory = float(levels.cpu[i]), float(levels.memory[i])
        if not nothing[i]:
            slow.judged.add(float(overrun[i]), float(unmet[i]), float(use[i]))
        if memory_judged[i]:
            slow.judged.add_memory(breached=bool(breached[i]))
