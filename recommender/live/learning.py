"""The active recommender: restores what was learned, then polls, learns, closes days and runs, sizes, writes, until the Lease is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from recommender.amounts import DAY_S
from recommender.live.checkpointing import INCIDENTS, Checkpointer, incidents_of
from recommender.live.closing import close_day, close_run, runs_due
from recommender.live.feeding import Dropped, Feeder
from recommender.live.last_memory import LastMemory
from recommender.live.pod_index import PodIndex
from recommender.live.profile_store import CHECKPOINT_KIND, OPEN_DAY, ProfileStore
from recommender.live.profiles import digest
from recommender.live.restoring import Damage, Restorer
from recommender.live.service_metrics import ServiceMetrics
from recommender.live.sizer import Sizer
from recommender.live.step_backs import StepBacks
from recommender.live.watches import ClusterWatch
from recommender.settings import RecommenderSettings
from recommender.sizing.prices import list_prices
from recommender.sources.incidents import IncidentKey, IncidentLog
from recommender.sources.intake import Intake
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import Incident, UsageSample, UsageSource
from recommender.workloads.fleet import GRACE_S, Fleet
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import KubeError
from stowplan.kube.owner_links import OwnerLinks
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.model.profile_codec import parse_profile

log = logging.getLogger(__name__)

_CLEAN_UP_S: Final = 3600.0
_STALE_STARTS_S: Final = 3600


class Learning:
    """One term of office: from acquiring the Lease to losing it, or to the end of the process.

    Args:
        api: an open client.
        store: where profiles and checkpoints are.
        source: of usage.
        metrics: of the service, of the sources and of the reflectors.
        settings: see there.
        clock: Unix seconds.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        store: ProfileStore,
        source: UsageSource,
        metrics: tuple[ServiceMetrics, SourceMetrics, ReflectorMetrics],
        settings: RecommenderSettings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._store = store
        self._source = source
        self._metrics, self._source_metrics, self._reflector_metrics = metrics
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._intake = Intake()
        self._last_memory = LastMemory()
        self._day_closed = asyncio.Event()
        self._incidents: list[Incident] = []
        self._handled: list[IncidentKey] = []
        self.fleet = Fleet(settings.max_containers)
        links = OwnerLinks()
        self._index = PodIndex(links, self.fleet.workloads.keys())
        self._links = links
        self.ready = False
        """Whether everything is restored and the cluster is seen."""

    async def run(self) -> None:
        """Learn until cancelled."""
        restored = await self._restore()
        incidents = IncidentLog(self._incidents.append, self._source_metrics, handled=self._handled, clock=self._clock)
        watch = ClusterWatch(self._api, self._index, self._links, incidents, self._reflector_metrics)
        self._steps = StepBacks(self.fleet, int(self._clock()))
        self._feeder = Feeder(self.fleet, self._index.locate, self._drop, self._steps.throttled)
        self._sizer = Sizer(
            self.fleet,
            self._index,
            watch.classes,
            self._store,
            list_prices(),
            self._metrics,
            self._settings,
            clock=self._clock,
            sleep=self._sleep,
        )
        checkpointer = self._make_checkpointer(lambda: incidents.handled, restored)
        self._metrics.checkpoint_age.set_function(lambda: checkpointer.age)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(watch.run())
                await watch.wait_synced()
                self._sizer.look()
                self.ready = True
                if not restored:
                    await self._back_fill()
                tasks.create_task(self._poll())
                tasks.create_task(self._size())
                tasks.create_task(self._size_urgent())
                tasks.create_task(checkpointer.run())
                tasks.create_task(self._clean_up())
        finally:
            self._metrics.checkpoint_age.set_function(lambda: 0.0)
            await checkpointer.flush()

    def _make_checkpointer(self, handled: Callable[[], Sequence[IncidentKey]], restored: Sequence[str]) -> Checkpointer:
        """`restored`: names of the checkpoints that are there."""
        checkpointer = Checkpointer(
            self.fleet,
            self._store,
            handled,
            self._metrics,
            self._settings.checkpoint_seconds,
            clock=self._clock,
            sleep=self._sleep,
        )
        for name in restored:
            checkpointer.exists(name)
        return checkpointer

    def _drop(self, reason: Dropped) -> None:
        self._metrics.dropped.labels(reason.value).inc()

    def _lost(self, what: Damage) -> None:
        self._metrics.damaged.labels(what.value).inc()

    async def _restore(self) -> Sequence[str]:
        """Read everything that was written; the names of the open-day checkpoints. Waits for the API server as long as it takes."""
        while True:
            try:
                return await self._read_all()
            except KubeError as error:
                self._metrics.errors.labels("restore", type(error).__name__).inc()
                log.warning("what was learned cannot be read, trying again: %s", error)
                self.fleet.clear()
                await self._sleep(2.0)

    async def _read_all(self) -> Sequence[str]:
        restorer = Restorer(self.fleet, self._lost)
        shards: dict[str, str] = {}
        async for item in self._store.all():
            target = (item.get("spec") or {}).get("targetRef") or {}
            if target.get("kind") == CHECKPOINT_KIND:
                text = ((item.get("status") or {}).get("checkpoint") or {}).get(OPEN_DAY)
                if isinstance(text, str):
                    shards[str(target.get("name", ""))] = text
                continue
            try:
                profile = parse_profile(item)
            except ValueError as error:
                self._lost(Damage.WORKLOAD)
                log.warning("a profile cannot be read and is learned again: %s", error)
                continue
            restorer.add_profile(profile, digest(profile))
        self._handled = self._incidents_in(shards.pop(INCIDENTS, "[]"))
        written = [restorer.add_shard(name, text) for name, text in sorted(shards.items())]
        # a source that repeats the last minutes must not have them learned twice
        self._intake.close_before(min(filter(None, written), default=0))
        log.info(
            "restored %d workloads, %d containers; open days are %.0f s old",
            len(self.fleet.workloads),
            self.fleet.containers,
            self._clock() - min(filter(None, written), default=self._clock()),
        )
        return list(shards)

    def _incidents_in(self, text: str) -> list[IncidentKey]:
        try:
            return incidents_of(text)
        except ValueError as error:
            self._lost(Damage.INCIDENTS)
            log.warning("%s", error)
            return []

    async def _back_fill(self) -> None:
        """Learn the past that the source has, day after day, where nothing has been learned before."""
        now_s = int(self._clock())
        since_s = (now_s // DAY_S - self._settings.back_fill_days) * DAY_S
        if self._settings.back_fill_days == 0 or any(self.fleet.at(int(row)).days for row in self.fleet.rows()):
            return
        asked = {row: dict(self.fleet.at(row).slow.targets) for row, _, _ in self.fleet.by_row()}
        async for batch in self._source.back_fill(since_s, now_s):
            newest = max((sample.t_s for sample in batch), default=0)
            await self._take(batch, now_s)
            await self._close(newest, past=True)
        for row, _, _ in self.fleet.by_row():  # nobody followed what was rehearsed: steps start from what the pods have
            self.fleet.at(row).slow.targets = asked.get(row, {})

    async def _poll(self) -> None:
        """Look at usage, learn it, and close what is over."""
        while True:
            try:
                samples = await self._source.poll()
                now_s = int(self._clock())
                self._sizer.look()
                self._take_incidents()
                await self._take(samples, now_s)
                await self._close(now_s)
                self._metrics.count(self.fleet)
            except KubeError as error:
                self._metrics.errors.labels("poll", type(error).__name__).inc()
                log.warning("usage could not be learned: %s", error)
            await self._sleep(self._settings.poll_seconds)

    def _take_incidents(self) -> None:
        incidents, self._incidents[:] = list(self._incidents), []
        for incident in map(self._last_memory.resolved, incidents):
            key = self._feeder.take_incident(incident, self._bump_of(incident))
            if key is not None:
                self._steps.incident(key, incident)

    def _bump_of(self, incident: Incident) -> int:
        place = self._index.locate(incident.namespace, incident.pod, incident.container)
        tracked = self.fleet.workloads.get(place.workload.key) if place is not None else None
        return self._sizer.terms_of(tracked).wclass.memory.oom_bump_percent if tracked is not None else 120

    async def _take(self, samples: Sequence[UsageSample], now_s: int) -> None:
        admission = self._intake.offer(samples, now_s)
        self._source_metrics.admitted(self._source.name, admission)
        self._last_memory.note(admission.samples, now_s)
        for _ in self._feeder.slices(admission.samples, now_s):
            await asyncio.sleep(0)

    async def _close(self, now_s: int, *, past: bool = False) -> None:
        """Close the runs and days that are over, and have all sized after a day.

        Of the past each day is sized for as it would have been, so that the next one can be judged: the first profile written
        has a calibration and an achieved risk.
        """
        for key, pod in runs_due(self.fleet, self._index.alive, self._index.preparing, now_s):
            close_run(self.fleet, key, pod, self._sizer.terms_of, now_s)
            self._metrics.runs_closed.inc()
        for day in self.fleet.days_due(now_s):
            for _ in close_day(self.fleet, day, self._sizer.terms_of, now_s):
                await asyncio.sleep(0)
            self._intake.close_before((day + 1) * DAY_S)
            self._metrics.days_closed.inc()
            log.info("closed day %d of %d containers", day, self.fleet.containers)
            if past:
                await self._sizer.rehearse((day + 1) * DAY_S + GRACE_S)
            self._day_closed.set()
        self.fleet.starts.forget_before(now_s - _STALE_STARTS_S)
        if self._steps.due(now_s):
            self._steps.close_hour(self._sizer.running, now_s)

    async def _size(self) -> None:
        """A pass at once, each hour, and after each day."""
        while True:
            self._day_closed.clear()
            await self._sizer.size_all()
            try:
                async with asyncio.timeout(self._settings.pass_seconds):
                    await self._day_closed.wait()
            except TimeoutError:
                continue

    async def _size_urgent(self) -> None:
        while True:
            await self._sleep(self._settings.urgent_seconds)
            if self._index.fresh:
                self._index.fresh = False
                self._sizer.look()
            self._take_incidents()  # not only with the next look at usage: the pod may be killed again meanwhile
            await self._sizer.size_urgent()

    async def _clean_up(self) -> None:
        while True:
            await self._sleep(_CLEAN_UP_S)
            await self._sizer.clean_up()
