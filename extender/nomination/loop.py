"""The nomination channel at work: looks at the waiting pods several times a second, writes, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Final

from extender.cluster.cache import Cache
from extender.deciding.candidates import View
from extender.deciding.planned_slots import PlannedSlots
from extender.leadership import Leadership
from extender.nomination.decision import Changes, Nomination, Nominations
from extender.nomination.writing import NominationWriter
from stowplan.kube.errors import Forbidden, KubeError
from stowplan.model.pod import Pod

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
_LEADER_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 60.0
"""Until the next look whether nominations are supported and allowed."""
_SWEEP_SECONDS: Final = 30.0
"""Between two looks for nominations of ours that we do not know."""
_PARALLEL: Final = 8
_STOP_SECONDS: Final = 5.0
"""For taking everything back at the end."""


class Event(StrEnum):
    """What became of a write; label of the counter."""

    SET = "set"
    CLEARED = "cleared"
    REFUSED = "refused"
    """Another's value is there, or the pod is gone."""
    FAILED = "failed"


class Nominator:
    """Runs the channel while the scheduler beside us leads.

    Args:
        cache: the cluster.
        view: what decisions read now.
        writer: see there.
        leadership: see there.
        count: takes each event.
        clock: monotonic seconds.
        per_second: most writes a second.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        cache: Cache,
        view: Callable[[], View],
        writer: NominationWriter,
        leadership: Leadership,
        *,
        count: Callable[[Event], object],
        clock: Callable[[], float],
        per_second: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.nominations = Nominations(clock)
        self._cache = cache
        self._view = view
        self._writer = writer
        self._leadership = leadership
        self._count = count
        self._clock = clock
        self._limit = max(1, round(per_second * TICK_SECONDS))
        self._sleep = sleep
        self._led = False
        self._looked_at = self._swept_at = float("-inf")

    async def run(self) -> None:
        """Nominate until cancelled. Call `stop` afterwards."""
        while True:
            try:
                await self.tick()
            except Forbidden as error:
                log.warning("no nominations: %s; allow patch of pods/status", error)
                await self._sleep(_RETRY_SECONDS)
            except KubeError as error:
                log.warning("nominations: %s", error)
            except Exception:
                log.exception("nominations failed; trying again")
            await self._sleep(TICK_SECONDS)

    async def stop(self) -> None:
        """Take back all that is ours; bounded, as a shutdown is."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._write(Changes(clear=tuple(self.nominations.own)))
        except (TimeoutError, KubeError) as error:
            log.warning("%d nominations were left on pods: %s", len(self.nominations.own), error)

    async def tick(self) -> None:
        """One look: who leads, what to write, and writing it."""
        if self._clock() - self._looked_at >= _LEADER_SECONDS:
            self._looked_at = self._clock()
            await self._leadership.refresh()
        leads = self._leadership.leads
        if leads and not self._led:
            if not await self._writer.supported():
                log.warning("no nominations: the cluster is older than 1.35 and does not honour them")
                await self._sleep(_RETRY_SECONDS)
                return
            self.nominations.adopt(await self._writer.found())
        if self._led and not leads:
            await self._write(Changes(clear=tuple(self.nominations.own)))
        self._led = leads
        if leads and self._clock() - self._swept_at >= _SWEEP_SECONDS and self._strange():
            self._swept_at = self._clock()
            self.nominations.adopt(await self._writer.found())
        if leads:
            await self._write(self.nominations.changes(self._pods(), PlannedSlots(self._view()), self._limit))

    def _strange(self) -> bool:
        """Whether a waiting pod has a nomination that we do not know: a write of an earlier process may have come after our list."""
        own = {one.uid for one in self.nominations.own}
        return any(pod.nominated_node and pod.uid not in own for pod in self._cache.waiting())

    def _pods(self) -> Iterable[Pod]:
        """The pods that wait for our scheduler, and those that we have nominated."""
        nominated = {one.uid for one in self.nominations.own}
        found = (self._cache.pod(uid) for uid in nominated)
        others = (pod for pod in self._cache.waiting() if pod.uid not in nominated)
        return [*others, *(pod for pod in found if pod is not None)]

    async def _write(self, changes: Changes) -> None:
        slots = asyncio.Semaphore(_PARALLEL)

        async def one(nomination: Nomination, *, clear: bool) -> None:
            async with slots:
                if not clear:
                    self.nominations.made(nomination)
                try:
                    written = await (self._writer.clear(nomination) if clear else self._writer.set(nomination))
                except Forbidden:
                    raise
                except KubeError as error:
                    self._count(Event.FAILED)
                    log.debug("nomination of %s/%s: %s", nomination.namespace, nomination.name, error)
                    return
            if clear or not written:
                self.nominations.gone(nomination.uid)
            self._count(Event.REFUSED if not written else Event.CLEARED if clear else Event.SET)

        writes = [one(n, clear=True) for n in changes.clear] + [one(n, clear=False) for n in changes.nominate]
        for outcome in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
