"""The gates channel at work: looks at the held pods many times a second, takes gates away, and tells the webhook that it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from extender.deciding.candidates import View
from extender.deciding.planned_slots import PlannedSlots
from extender.gating.decision import Gates, Why
from extender.gating.held import HeldPods
from extender.gating.lease import RENEW_SECONDS, GateLease
from extender.gating.metrics import GateMetrics
from extender.gating.writing import GateWriter, PodRef
from extender.leadership import Leadership
from stowplan.kube.errors import Forbidden, KubeError

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.02
"""While pods are held; a pod is to wait for its plan and not for us."""
IDLE_SECONDS: Final = 0.1
_LEADER_SECONDS: Final = 2.0
_GROUPS_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 10.0
"""A watch that is silent for so long may be broken: held pods are looked for by a list, as often."""
_COMPLAIN_SECONDS: Final = 60.0
_PORTION: Final = 16
"""Pods let go at a time: looking for a slot takes about 0.1 ms, and requests are answered in between."""
_REST: Final = 4
"""Times the duration of a look that the event loop is left to others after it."""
_PARALLEL: Final = 16
_STOP_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the loop reads."""

    held: HeldPods
    view: Callable[[], View]
    generation: Callable[[], int]
    silence: Callable[[], float]
    """Seconds since the watch of pods was last heard of."""
    read_groups: Callable[[], Awaitable[object]]
    """Reads the PodGroups now: one is often written in the same moment as its first pods."""


class Ungater:
    """Runs the channel.

    Args:
        cluster: see there.
        gates: see there.
        writer: see there.
        lease: see there; None never asks the webhook for gates, and takes away those that are there.
        leadership: see there.
        metrics: see there.
        clock: monotonic seconds.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        gates: Gates,
        writer: GateWriter,
        lease: GateLease | None,
        leadership: Leadership,
        *,
        metrics: GateMetrics,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._gates = gates
        self._writer = writer
        self._lease = lease
        self._leadership = leadership
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._looked_at = self._renewed_at = self._listed_at = self._complained_at = self._grouped_at = float("-inf")
        self._missing: frozenset[PodRef] = frozenset()
        self._announced = False
        self._writes: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_PARALLEL)

    async def run(self, ending: Callable[[], bool] = lambda: False) -> None:
        """Take gates away until cancelled; `ending` says that this will be soon. Call `stop` afterwards."""
        await self._guarded(self.promise(ending=ending()))  # who leads comes first
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_promising(ending))
            tasks.create_task(self._keep_releasing(ending))

    async def stop(self) -> None:
        """Leave no gate behind, whoever added it meanwhile; bounded, as a shutdown is."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._give_up()
                await self.settle()
                if self._lease is not None and self._leadership.leads:
                    await asyncio.gather(*(self._write(ref, Why.OFF) for ref in await self._writer.found()))
        except (TimeoutError, KubeError) as error:
            log.warning("gates may have been left on pods, for the next process to take away: %s", error)

    async def release(self, *, ending: bool = False) -> None:
        """Look at the held pods, and begin to write."""
        held, slots = dict(self._cluster.held.pods), PlannedSlots(self._cluster.view())
        self._metrics.held.set(len(held))
        due = self._gates.due(held, self._cluster.generation(), slots, leads=self._leadership.leads, ending=ending)
        for number, release in enumerate(due, 1):
            self._metrics.waited.observe(self._gates.waited(release.pod.uid))
            self._gates.writing(release.pod.uid)
            self._begin(PodRef.of(release.pod), release.why)
            if number % _PORTION == 0:
                await self._sleep(0)

    async def promise(self, *, ending: bool = False) -> None:
        """Look who leads and what the watch may have missed, and tell the webhook whether gates are taken away."""
        if self._lease is None and not self._cluster.held.pods:
            return  # switched off, and nothing is left behind: no call is made
        if self._clock() - self._looked_at >= _LEADER_SECONDS:
            self._looked_at = self._clock()
            await self._leadership.refresh()
        leads = self._leadership.leads
        if self._gates.unsized and self._clock() - self._grouped_at >= _GROUPS_SECONDS:
            self._grouped_at = self._clock()
            await self._cluster.read_groups()
        await self._look_again(leads=leads)
        overdue = self._gates.overdue(self._cluster.held.pods.values())
        await self._announce(wanted=leads and not ending and not overdue)

    async def settle(self) -> None:
        """Return when what is being written is written."""
        while self._writes:
            await asyncio.gather(*self._writes, return_exceptions=True)

    async def _keep_releasing(self, ending: Callable[[], bool]) -> None:
        while True:
            began = self._clock()
            await self._guarded(self.release(ending=ending()))
            rest = TICK_SECONDS if self._cluster.held.pods else IDLE_SECONDS
            # With thousands of held pods a look takes milliseconds; requests are answered in between.
            await self._sleep(max(rest, _REST * (self._clock() - began)))

    async def _keep_promising(self, ending: Callable[[], bool]) -> None:
        """Apart from the releases: on a busy machine these calls take longer than a pod is to wait."""
        while True:
            await self._sleep(IDLE_SECONDS)
            await self._guarded(self.promise(ending=ending()))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("taking gates away failed; trying again")

    async def _look_again(self, *, leads: bool) -> None:
        """Where the watch is silent, ask. What the last list showed as well, and the watch still does not, is not to wait for it."""
        now = self._clock()
        if not leads or self._cluster.silence() < _SILENCE_SECONDS or now - self._listed_at < _SILENCE_SECONDS:
            return
        self._listed_at = now
        try:
            found = frozenset(ref for ref in await self._writer.found() if ref.uid not in self._cluster.held.pods)
        except KubeError as error:
            log.warning("held pods could not be listed: %s", error)
            return
        again, self._missing = found & self._missing, found
        for ref in again:
            self._begin(ref, Why.MISSED)

    async def _announce(self, *, wanted: bool) -> None:
        if not wanted or self._lease is None:
            await self._give_up()
        elif self._clock() - self._renewed_at >= RENEW_SECONDS:
            self._renewed_at = self._clock()
            try:
                await self._lease.renew()
            except KubeError as error:
                self._complain("no pod is gated: the Lease cannot be renewed: %s", error)
            else:
                self._announced = True
        self._metrics.announced.set(self._announced)

    async def _give_up(self) -> None:
        """Let the webhook stop at once; where that fails the Lease runs out."""
        if not self._announced or self._lease is None:
            return
        self._announced = False
        try:
            await self._lease.give_up()
        except KubeError as error:
            log.warning("the Lease of the gates runs out by itself: %s", error)

    def _begin(self, ref: PodRef, why: Why) -> None:
        task = asyncio.create_task(self._write(ref, why))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write(self, ref: PodRef, why: Why) -> None:
        async with self._room:
            try:
                await self._writer.release(ref)
            except Exception as error:  # noqa: BLE001 - whatever it is, the gate must be tried again
                self._gates.failed(ref.uid)
                self._metrics.failed.inc()
                hint = "; allow patch of pods (component scheduling-gates)" if isinstance(error, Forbidden) else ""
                self._complain("the gate of %s/%s stays for now: %r%s", ref.namespace, ref.name, error, hint)
                return
        self._gates.written(ref.uid)
        self._metrics.released.labels(why.value).inc()

    def _complain(self, message: str, *values: object) -> None:
        """At most once a minute: what fails for one pod fails for a thousand."""
        if self._clock() - self._complained_at >= _COMPLAIN_SECONDS:
            self._complained_at = self._clock()
            log.warning(message, *values)
