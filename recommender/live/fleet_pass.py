"""The recommendation pass over the fleet: for each container and each class that its namespace allows, a request with its provenance.

It goes slice by slice, so that whoever runs it can let others have their turn. Forecasts do not depend on the class and are made once a
slice. The estimate of a container with less than its class's least history is mixed with that of similar ones
(`recommender.sizing.newcomers`); from then on steps, cool-downs and the guard of cycles apply to what was recommended before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recommender.amounts import DAY_S, Floats
from recommender.forecasting.outlook import View, views
from recommender.live.closing import Terms, begin_calibration
from recommender.regression.regression import careful_level
from recommender.remembering.history import window
from recommender.remembering.learned import Target
from recommender.risk import Levels, start_levels
from recommender.sizing.newcomers import Newcomers
from recommender.sizing.peers import Peers
from recommender.sizing.prices import Prices
from recommender.sizing.published import Estimate, recommendation, stand
from recommender.sizing.sized import Before, settle, staffing_floors
from recommender.sizing.sizing import Outlook, Range, outlook_of, safe_range, sizes_of
from recommender.workloads.fleet import Fleet, Tracked
from recommender.workloads.pods import ContainerSpec
from stowplan.model.profile import ClassRecommendation, ContainerRecommendation, Source
from stowplan.model.workload import WorkloadKey
from stowplan.model.workload_class import Cost

SLICE: Final = 96
"""Containers sized between two turns of others."""
_LONG_AGO: Final = 24.0 * 365


@dataclass(frozen=True, slots=True)
class Case:
    """A workload as the pass takes it."""

    tracked: Tracked
    observed: Terms
    allowed: tuple[Terms, ...]
    """What its namespace allows, the observed one first."""
    specs: Mapping[str, ContainerSpec] = field(default_factory=dict)
    """Its containers as its newest pod has them; empty where it has none now."""
    careful: int = 0
    """Steps of a step back that is going on."""
    floors: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """During a step back: millicores and bytes that were good, by container."""


Outcome = tuple[Case, tuple[ClassRecommendation, ...]]
_Found = dict[tuple[WorkloadKey, str], dict[str, ContainerRecommendation]]


class FleetPass:
    """One pass.

    Args:
        fleet: what was learned; targets and what stands are kept in it.
        peers: similar containers are looked for among these.
        prices: of what is saved.
        now_s: Unix seconds.
    """

    def __init__(self, fleet: Fleet, peers: Peers, prices: Prices, now_s: int) -> None:
        self._fleet = fleet
        self._newcomers = Newcomers(peers)
        self._prices = prices
        self._now_s = now_s
        self._today = now_s // DAY_S
        self._all_closed = min(fleet.days, default=self._today) >= self._today

    def run(self, cases: Sequence[Case]) -> Iterator[list[Outcome]]:
        """Recommendations of all workloads, slice by slice."""
        part: list[Case] = []
        containers = 0
        for case in cases:
            part.append(case)
            containers += len(case.tracked.rows)
            if containers >= SLICE:
                yield self._slice(part)
                part, containers = [], 0
        if part:
            yield self._slice(part)

    def _slice(self, cases: Sequence[Case]) -> list[Outcome]:
        by_key = {case.tracked.key: case for case in cases}
        seen = views(self._fleet, [case.tracked for case in cases], self._today)
        seen = [view for view in seen if _is_there(by_key[view.tracked.key], view.container)]
        found: _Found = {}
        for ahead in (0, 1):
            group = [view for view in seen if view.ahead == ahead]
            if group:
                self._group(group, by_key, found)
        return [(case, _assembled(case, found)) for case in cases]

    def _group(self, seen: Sequence[View], by_key: Mapping[WorkloadKey, Case], found: _Found) -> None:
        """Containers that are read through the same window."""
        outlook = outlook_of(window([view.history for view in seen], self._today + seen[0].ahead))
        rows_of: dict[tuple[str, Cost | None], tuple[Terms, list[int]]] = {}
        for row, view in enumerate(seen):
            case = by_key[view.tracked.key]
            begin_calibration(view.learned, case.observed)
            for terms in case.allowed:
                rows_of.setdefault((terms.wclass.name, terms.cost), (terms, []))[1].append(row)
        for terms, rows in rows_of.values():
            part = outlook if len(rows) == len(seen) else outlook.rows(np.array(rows))
            self._under(terms, [(by_key[seen[row].tracked.key], seen[row]) for row in rows], part, found)

    def _under(self, terms: Terms, members: Sequence[tuple[Case, View]], outlook: Outlook, found: _Found) -> None:
        """The recommendations of some containers under one class."""
        wclass, risk = terms.wclass, terms.risk
        levels = _levels(terms, members)
        busy = [view.learned.busiest() for _, view in members]
        staffed = staffing_floors([(hour.cores, hour.replicas) for hour in busy], wclass)
        hours = np.array([view.hours for _, view in members])
        sized = settle(
            sizes_of(outlook, wclass, risk, levels), wclass, risk, levels, staffed, self._before(terms, members), hours
        )
        span = safe_range(outlook, wclass, risk, levels)
        for row, (case, view) in enumerate(members):
            estimate = Estimate(sized, row, view, case.specs.get(view.container))
            if view.hours < wclass.cpu.min_history_hours or not np.isfinite(sized.found.cpu[row]):
                estimate = self._newcomers.mixed(estimate)
            estimate = estimate.at_least(case.floors.get(view.container, (0, 0)))
            if not _is_guess(estimate):
                self._publish(estimate, terms, case, span, found)

    def _publish(self, estimate: Estimate, terms: Terms, case: Case, span: Range, found: _Found) -> None:
        view, name = estimate.view, terms.wclass.name
        found.setdefault((case.tracked.key, name), {})[view.container] = recommendation(estimate, span, self._prices)
        self._remember(view, name, estimate)
        if name == case.observed.wclass.name and self._all_closed and view.settled:
            by_runs = case.tracked.by_runs or view.learned.slow.init
            day = view.learned.slow.runs if by_runs else self._today
            stand(view.learned, day, estimate)

    def _remember(self, view: View, name: str, estimate: Estimate) -> None:
        """Keep the target and since when it is that."""
        slow, now_s = view.learned.slow, self._now_s
        old = slow.targets.get(name)
        new = Target(estimate.cpu, estimate.memory, now_s, now_s)
        if old is not None:
            new.cpu_changed_s = old.cpu_changed_s if old.cpu == new.cpu else now_s
            new.memory_changed_s = old.memory_changed_s if old.memory == new.memory else now_s
        if new != old:
            slow.targets[name] = new
            slow.as_of_s = max(slow.as_of_s, now_s)
            view.tracked.version += 1

    def _before(self, terms: Terms, members: Sequence[tuple[Case, View]]) -> Before:
        """What stood: the last target, else the request of the pods."""
        columns = []
        for case, view in members:
            target, spec = view.learned.slow.targets.get(terms.wclass.name), case.specs.get(view.container)
            cpu, memory = (spec.cpu, spec.memory) if spec is not None else (0, 0)
            cpu_hours, memory_hours = _LONG_AGO, _LONG_AGO
            if target is not None:
                cpu, memory = target.cpu or cpu, target.memory or memory
                cpu_hours = (self._now_s - target.cpu_changed_s) / 3600
                memory_hours = (self._now_s - target.memory_changed_s) / 3600
            columns.append((cpu or np.nan, memory or np.nan, cpu_hours, memory_hours))
        table: Floats = np.array(columns, dtype=np.float64).reshape(-1, 4)
        return Before(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def _is_there(case: Case, container: str) -> bool:
    """Whether the newest pod still has the container; where there are no pods, nobody can say that it has not."""
    return not case.specs or container in case.specs


def _is_guess(of: Estimate) -> bool:
    """Whether nothing but the size table speaks for the size of an init container: then the webhook does better without a number.

    The table is made for apps. An init container's request counts for the pod's whole life, so a guess may cost more than it serves.
    """
    slow = of.view.learned.slow
    return slow.init and of.source in (Source.SIZE_TABLE, Source.SIZE_TABLE_AND_OWN) and not slow.oom_bytes


def _levels(terms: Terms, members: Sequence[tuple[Case, View]]) -> Levels:
    """The calibrated levels under the class that the pods run with, else those at which the class starts; half of it for each step back."""
    starts = start_levels(terms.wclass, terms.cost)
    pairs = []
    for case, view in members:
        slow = view.learned.slow
        own = slow.level_class == terms.wclass.name
        cpu, memory = (slow.level_cpu, slow.level_memory) if own else starts
        pairs.append((careful_level(cpu, case.careful), careful_level(memory, case.careful)))
    table: Floats = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return Levels(table[:, 0], table[:, 1])


def _assembled(case: Case, found: _Found) -> tuple[ClassRecommendation, ...]:
    recommended = []
    for terms in case.allowed:
        of_class = found.get((case.tracked.key, terms.wclass.name), {})
        containers = tuple(of_class[name] for name in case.tracked.rows if name in of_class)
        recommended.append(ClassRecommendation(terms.wclass.name, terms.cost or terms.wclass.cost, containers))
    return tuple(recommended)
