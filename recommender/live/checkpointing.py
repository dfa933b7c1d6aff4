"""Writes what is open, shard after shard, so that a crash loses at most one round; all at once at the end of the process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from recommender.live.profile_store import OPEN_DAY, LeaseLostError, ProfileStore
from recommender.live.service_metrics import ServiceMetrics
from recommender.live.shards import encode_shard
from recommender.sources.incidents import IncidentKey
from recommender.workloads.fleet import SHARDS, Fleet
from stowplan.kube.errors import KubeError

log = logging.getLogger(__name__)

INCIDENTS: Final = "incidents"
"""Name of the object that keeps which incidents have been learned."""
_AT_ONCE: Final = 8
_NOTHING: Final = "[]"


class Checkpointer:
    """Writes the open-day checkpoints of one fleet.

    Args:
        fleet: what is written.
        store: where to.
        handled: which incidents have been learned.
        metrics: of the service.
        round_seconds: in this time every shard is written once.
        clock: Unix seconds.
        monotonic: monotonic seconds.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        store: ProfileStore,
        handled: Callable[[], Sequence[IncidentKey]],
        metrics: ServiceMetrics,
        round_seconds: float,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fleet = fleet
        self._store = store
        self._handled = handled
        self._metrics = metrics
        self._round_seconds = round_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._sizes: dict[str, int] = {}
        self._written_at: dict[str, float] = {}
        self._incidents = _NOTHING

    def exists(self, name: str) -> None:
        """A checkpoint of that name is there already: once it has nothing to say any more it still has to be written."""
        self._sizes.setdefault(name, 0)

    @property
    def age(self) -> float:
        """Seconds since the oldest shard was written; 0 before any was."""
        return self._clock() - min(self._written_at.values(), default=self._clock())

    async def run(self) -> None:
        """Write until cancelled, the rounds evenly spread; a slow API server does not make them longer."""
        while True:
            await self._write_incidents()
            for shard in range(SHARDS):
                started = self._monotonic()
                await self._write(shard)
                await self._sleep(max(0.0, self._round_seconds / SHARDS - (self._monotonic() - started)))
            self._metrics.checkpoint_bytes.set(sum(self._sizes.values()))

    async def flush(self) -> None:
        """Write everything now: the process ends."""
        await self._write_incidents()
        for start in range(0, SHARDS, _AT_ONCE):
            await asyncio.gather(*(self._write(shard) for shard in range(start, min(start + _AT_ONCE, SHARDS))))

    async def _write(self, shard: int) -> None:
        """Write one shard with the workloads that it has now: one that has just come must not wait for the next round."""
        name = f"{shard:02d}"
        members = [tracked for tracked in self._fleet.workloads.values() if tracked.shard == shard]
        if members or name in self._sizes:
            await self._put(name, encode_shard(self._fleet, members, int(self._clock())))

    async def _write_incidents(self) -> None:
        text = msgspec.json.encode(self._handled()).decode()
        if text != self._incidents:
            self._incidents = text if await self._put(INCIDENTS, text) else self._incidents

    async def _put(self, name: str, text: str) -> bool:
        started = self._clock()
        try:
            sent = await self._store.write_checkpoint(name, text)
        except LeaseLostError:
            return False  # another process writes now
        except KubeError as error:
            self._metrics.errors.labels("checkpoint", type(error).__name__).inc()
            log.warning("%s-%s could not be written: %s", OPEN_DAY, name, error)
            return False
        self._metrics.writes.labels("checkpoint").inc()
        self._metrics.written_bytes.labels("checkpoint").inc(sent)
        self._sizes[name] = len(text)
        if name != INCIDENTS:  # written only when there is something new
            self._written_at[name] = started
        return True


def incidents_of(text: str) -> list[IncidentKey]:
    """What the object of the incidents held. Raises ValueError where it is damaged."""
    try:
        return msgspec.json.decode(text, type=list[IncidentKey])
    except msgspec.DecodeError as error:
        raise ValueError(f"list of handled incidents is damaged: {error}") from error
