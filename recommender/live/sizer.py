"""Runs passes, writes the profiles that changed, and forgets the workloads that are gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from recommender.amounts import DAY_S
from recommender.live.closing import Terms
from recommender.live.fleet_pass import Case, FleetPass, Outcome
from recommender.live.pod_index import PodIndex, Running
from recommender.live.profile_store import ProfileStore
from recommender.live.profiles import digest, profile_of, says_something, with_checkpoint
from recommender.live.service_metrics import ServiceMetrics
from recommender.live.watches import Classes
from recommender.regression.regression import stepping_back
from recommender.risk import Risk, declared
from recommender.settings import RecommenderSettings
from recommender.sizing.peers import Peers
from recommender.sizing.prices import Prices
from recommender.workloads.fleet import Fleet, Tracked
from stowplan.kube.errors import KubeError, NotFound
from stowplan.model.builtin_classes import BUILTIN_CLASSES, DEFAULT_CLASS
from stowplan.model.profile import WorkloadProfile
from stowplan.model.workload import WorkloadKey
from stowplan.model.workload_class import WorkloadClass

log = logging.getLogger(__name__)

RENEW_S: Final = 3 * DAY_S
"""A profile is written again after this long though it says the same: the webhook takes one that nobody renews for abandoned."""
_RETRY_S: Final = 60.0
"""After a failed write, before the next try of the same profile."""
_AT_ONCE: Final = 8


class Sizer:
    """Sizes one fleet.

    Args:
        fleet: what was learned.
        index: of pods.
        classes: of the cluster.
        store: where profiles are written.
        prices: of what is saved.
        metrics: of the service.
        settings: pace and how long gone workloads are remembered.
        clock: Unix seconds.
        sleep: waits the given seconds.
    """

    def __init__(  # noqa: PLR0913 - seven parts and two injected effects
        self,
        fleet: Fleet,
        index: PodIndex,
        classes: Classes,
        store: ProfileStore,
        prices: Prices,
        metrics: ServiceMetrics,
        settings: RecommenderSettings,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fleet = fleet
        self._index = index
        self._classes = classes
        self._store = store
        self._prices = prices
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._peers: Peers | None = None
        self._retry_at: dict[WorkloadKey, float] = {}
        self._writing: set[WorkloadKey] = set()
        self._known: Mapping[str, WorkloadClass] = BUILTIN_CLASSES
        self._running: Mapping[WorkloadKey, Running] = {}

    @property
    def running(self) -> Mapping[WorkloadKey, Running]:
        """Workloads with pods, as `look` saw them last."""
        return self._running

    def look(self) -> None:
        """See which workloads run now, and make room for those that are new."""
        self._running = self._index.running()
        self._known = self._classes.all
        now_s = int(self._clock())
        for running in self._running.values():
            template = running.template
            for specs, init in ((template.containers, False), (template.init_containers, True)):
                names = [spec.name for spec in specs]
                tracked = self._fleet.track(
                    running.workload, names, now_s, by_runs=not template.restarts_always, init=init
                )
                if tracked is not None:
                    for name in names:
                        self._fleet.retype(tracked, name, init=init)

    def terms_of(self, tracked: Tracked) -> Terms:
        """What the pods of a workload run under, or did last."""
        running = self._running.get(tracked.key)
        if running is not None:
            return self._classes.observed(running.template, self._known)
        last = next((self._fleet.at(row).slow.level_class for row in tracked.rows.values()), "")
        return Terms(self._known.get(last) or self._known.get(DEFAULT_CLASS) or BUILTIN_CLASSES[DEFAULT_CLASS])

    async def size_all(self) -> None:
        """A pass over all workloads."""
        self._peers = Peers(self._fleet)
        await self._size(list(self._fleet.workloads.values()), "all")
        self._metrics.pass_at.set(self._clock())
        self._report_risks()

    async def rehearse(self, now_s: int) -> None:
        """A pass over the past as of `now_s`: nothing is written, but the day that begins is judged by it when it is closed."""
        cases = [self._case(tracked, now_s) for tracked in self._fleet.workloads.values()]
        observed = [replace(case, allowed=(case.observed,)) for case in cases]
        for _ in FleetPass(self._fleet, Peers(self._fleet), self._prices, now_s).run(observed):
            await asyncio.sleep(0)

    async def size_urgent(self) -> None:
        """A pass over those that do not wait: new for so long, hit by an incident, or not written yet."""
        now = self._clock()
        due = [key for key, at in self._retry_at.items() if at <= now]
        urgent = [of for of in self._fleet.workloads.values() if of.look_due(int(now)) or of.urgent]
        urgent += [self._fleet.workloads[key] for key in due if key in self._fleet.workloads]
        for key in due:
            del self._retry_at[key]
        if urgent:
            await self._size(list({tracked.key: tracked for tracked in urgent}.values()), "urgent")

    async def _size(self, workloads: Sequence[Tracked], scope: str) -> None:
        started = time.perf_counter()
        now_s = int(self._clock())
        if self._peers is None:
            self._peers = Peers(self._fleet)
        for tracked in workloads:
            tracked.urgent = False
        cases = [self._case(tracked, now_s) for tracked in workloads]
        slices = FleetPass(self._fleet, self._peers, self._prices, now_s).run(cases)
        seconds = time.perf_counter() - started
        while True:
            started = time.perf_counter()
            outcomes = next(slices, None)
            seconds += time.perf_counter() - started
            if outcomes is None:
                break
            await self._write_changed(outcomes, now_s)
            await asyncio.sleep(0)
        self._metrics.pass_seconds.labels(scope).observe(seconds)

    def _case(self, tracked: Tracked, now_s: int) -> Case:
        observed = self.terms_of(tracked)
        running = self._running.get(tracked.key)
        halt = stepping_back(tracked.watch, now_s)
        specs = running.template.all_containers if running is not None else ()
        for spec in specs:
            if running is not None and spec.name in tracked.rows:
                features = running.template.features(spec, observed.wclass.name)
                self._fleet.at(tracked.rows[spec.name]).slow.features = features
        return Case(
            tracked,
            observed,
            self._classes.allowed(tracked.key.namespace, observed, self._known),
            {spec.name: spec for spec in specs},
            halt.step if halt is not None else 0,
            tracked.watch.good if halt is not None else {},
        )

    async def _write_changed(self, outcomes: Sequence[Outcome], now_s: int) -> None:
        pending = []
        for outcome in outcomes:
            tracked = outcome[0].tracked
            if self._fleet.workloads.get(tracked.key) is not tracked:
                continue  # forgotten meanwhile
            try:
                halt = stepping_back(tracked.watch, now_s)
                profile = profile_of(self._fleet, outcome, self._running.get(tracked.key), halt, now_s)
                if self._is_news(tracked, profile, now_s):
                    pending.append((tracked, profile))
            except Exception as error:  # whatever is wrong with one workload, the others have a right to their profiles
                log.exception("no profile can be made for %s; others are written", tracked.key)
                self._failed(tracked.key, error)
        for start in range(0, len(pending), _AT_ONCE):
            part = pending[start : start + _AT_ONCE]
            await asyncio.gather(*(self._write(tracked, profile) for tracked, profile in part))
            await self._sleep(len(part) / self._settings.writes_per_second)

    def _is_news(self, tracked: Tracked, profile: WorkloadProfile, now_s: int) -> bool:
        """Whether the profile is to be written: the first one when it says something, later ones when they say something else."""
        if not tracked.written_s:
            return says_something(profile, self._fleet)
        stale = now_s - tracked.written_s >= RENEW_S
        return stale or not tracked.saved or digest(profile) != tracked.digest

    async def _write(self, tracked: Tracked, profile: WorkloadProfile) -> None:
        """Write one profile. While it is on its way a newer one waits, so that the older cannot come last."""
        key = tracked.key
        if key in self._writing:
            self._retry_at[key] = self._clock()
            return
        self._writing.add(key)
        version, rows = tracked.version, list(tracked.rows.values())
        newest = [self._fleet.at(row).newest for row in rows]
        try:
            sent = await self._store.write(with_checkpoint(profile, self._fleet))
        except NotFound:
            self._gone(tracked)
        except KubeError as error:
            log.warning("profile of %s could not be written, trying again: %s", key, error)
            self._failed(key, error)
        except Exception as error:  # as above: one that cannot be encoded must not end the service for all
            log.exception("profile of %s cannot be written; others are", key)
            self._failed(key, error)
        else:
            self._metrics.writes.labels("profile").inc()
            self._metrics.written_bytes.labels("profile").inc(sent)
            if self._fleet.workloads.get(key) is tracked:
                tracked.saved_version, tracked.digest = version, digest(profile)
                tracked.written_s = profile.updated_s
                for row, day in zip(rows, newest, strict=True):
                    self._fleet.at(row).saved_through = day
        finally:
            self._writing.discard(key)

    def _failed(self, key: WorkloadKey, error: Exception) -> None:
        """Counted, and tried again."""
        self._metrics.errors.labels("profile", type(error).__name__).inc()
        self._retry_at[key] = self._clock() + _RETRY_S

    def _gone(self, tracked: Tracked) -> None:
        """The namespace is gone, or the definition of profiles is."""
        self._metrics.errors.labels("profile", NotFound.__name__).inc()
        if tracked.key in self._running:
            self._retry_at[tracked.key] = self._clock() + _RETRY_S
        else:
            self._fleet.forget(tracked.key)
            self._metrics.forgotten.inc()

    async def clean_up(self) -> None:
        """Forget workloads without pods for long, and delete their profiles."""
        now_s = int(self._clock())
        for tracked in list(self._fleet.workloads.values()):
            if tracked.key in self._running or now_s - tracked.last_seen_s < self._kept_s(tracked):
                continue
            try:
                await self._store.delete(*tracked.key)
            except KubeError as error:
                self._metrics.errors.labels("profile", type(error).__name__).inc()
                log.warning("profile of %s could not be deleted, trying again: %s", tracked.key, error)
                continue
            self._fleet.forget(tracked.key)
            self._metrics.forgotten.inc()

    def _kept_s(self, tracked: Tracked) -> int:
        runs = max((self._fleet.at(row).slow.runs for row in tracked.rows.values()), default=0)
        once = tracked.by_runs and runs <= 1
        return (self._settings.forget_runs_days if once else self._settings.forget_days) * DAY_S

    def _report_risks(self) -> None:
        achieved: dict[str, list[Risk]] = {}
        for row, _, _ in self._fleet.by_row():
            slow = self._fleet.at(row).slow
            if slow.judged.days:
                achieved.setdefault(slow.level_class, []).append(slow.judged.achieved)
        now_s = int(self._clock())
        halted = sum(stepping_back(of.watch, now_s) is not None for of in self._fleet.workloads.values())
        self._metrics.stepped_back.set(halted)
        for name, risks in achieved.items():
            if name in self._known:
                self._metrics.risks(name, declared(self._known[name]), risks)
