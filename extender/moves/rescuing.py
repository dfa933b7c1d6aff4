"""Carrying rescues out, where the admin opted in: the pods in the way are evicted, and their room is held for the pod that waits.

One rescue at a time, with a pause after each, only while the scheduler beside us leads, and only for pods that kube-scheduler itself has
called unschedulable for a while. The Eviction API has the last word on budgets; every eviction is asked for as a dry run first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Literal

from extender.cluster.cache import Cache
from extender.deciding.reservations import Reservations
from extender.leadership import Leadership
from extender.moves.eviction import Evicted, Outcome, evict_all
from extender.plan import Plan, Rescue
from stowplan.kube.client import ApiClient
from stowplan.model.pod import Pod

log = logging.getLogger(__name__)

Mode = Literal["off", "dry-run", "evict"]

TICK_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 15.0
"""A pod waits this long before others are disturbed for it: longer than the scheduler's back-off, and than pods take to end."""
PAUSE_SECONDS: Final = 60.0
"""After a rescue, before the next: at most so often are running pods disturbed."""
_HOLD_SECONDS: Final = 30.0
"""Room is held for the waiting pod: its next attempt comes within the scheduler's longest back-off (10 s) of an eviction."""
_ACCEPTED: Final = frozenset({Outcome.WOULD_EVICT, Outcome.EVICTED, Outcome.GONE})


class Rescuer:
    """Looks at the plan's rescues every few seconds.

    Args:
        api: an open client.
        cache: the cluster.
        plan: the plan of now.
        reservations: where room is held.
        leadership: see there; refreshed by this loop.
        mode: whether to ask only, or to evict.
        count: takes what became of each eviction.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        cache: Cache,
        plan: Callable[[], Plan],
        reservations: Reservations,
        leadership: Leadership,
        *,
        mode: Mode,
        count: Callable[[Outcome], object],
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._cache = cache
        self._plan = plan
        self._reservations = reservations
        self._leadership = leadership
        self._mode = mode
        self._count = count
        self._clock = clock
        self._since: dict[str, float] = {}
        self._rest_until = float("-inf")
        self._held: tuple[Pod, str, float] | None = None

    async def run(self) -> None:
        """Rescue until cancelled."""
        while self._mode != "off":
            try:
                await self.tick()
            except Exception:
                log.exception("rescue failed; trying again")
            await asyncio.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """One look."""
        self._hold()
        overdue = self._overdue()
        if not overdue or self._clock() < self._rest_until:
            return
        await self._leadership.refresh()
        if not self._leadership.leads:
            return
        for rescue in self._plan().rescues:
            pod = next((pod for pod in overdue if pod.signature == rescue.signature), None)
            if pod is not None and self._is_current(rescue):
                self._rest_until = self._clock() + PAUSE_SECONDS
                await self._carry_out(pod, rescue)
                return

    async def _carry_out(self, pod: Pod, rescue: Rescue) -> None:
        moving = [moved for moved, _ in rescue.moves]
        log.info("rescue of %s/%s (%s): %s", pod.namespace, pod.name, self._mode, rescue)
        tried = await self._evict(moving, dry_run=True)
        if self._mode != "evict" or not all(one.outcome in _ACCEPTED for one in tried) or len(tried) < len(moving):
            return
        self._held = (pod, rescue.node, self._clock() + _HOLD_SECONDS)
        self._hold()
        await self._evict(moving, dry_run=False)

    async def _evict(self, pods: list[Pod], *, dry_run: bool) -> list[Evicted]:
        def tell(one: Evicted) -> None:
            self._count(one.outcome)
            log.info("eviction of %s/%s: %s %s", one.pod.namespace, one.pod.name, one.outcome.value, one.message)

        return await evict_all(self._api, pods, dry_run=dry_run, pause_seconds=0.0, tell=tell)

    def _overdue(self) -> list[Pod]:
        """Pods that have been unschedulable for long enough, the important and old ones first."""
        stuck = {pod.uid: pod for pod in self._cache.waiting() if pod.unschedulable}
        now = self._clock()
        self._since = {uid: self._since.get(uid, now) for uid in stuck}
        found = [pod for uid, pod in stuck.items() if now - self._since[uid] >= PATIENCE_SECONDS]
        return sorted(found, key=lambda pod: (-pod.signature.priority, pod.created_s, pod.uid))

    def _is_current(self, rescue: Rescue) -> bool:
        """Whether every pod to be moved still stands where the plan saw it."""
        known = [self._cache.pod(moved.uid) for moved, _ in rescue.moves]
        return all(pod is not None and pod.node_name == rescue.node and not pod.deleting for pod in known)

    def _hold(self) -> None:
        """Keep the room from others for as long as the pod waits for it."""
        if self._held is None:
            return
        pod, node, until = self._held
        waiting = self._cache.pod(pod.uid)
        if waiting is None or waiting.node_name or self._clock() > until:
            self._held = None
            return
        self._reservations.take(pod.uid, pod.signature, node)
