"""The recommender put together: health and metrics always, learning while the Lease is held."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from recommender.live.learning import Learning
from recommender.live.profile_store import ProfileStore
from recommender.live.service_metrics import ServiceMetrics
from recommender.settings import RecommenderSettings
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import UsageSource
from stowplan.kube.client import ApiClient
from stowplan.kube.leader_election import LeaderElection, LeaseTerms
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.serving.background import drain_on_failure, raise_failure
from stowplan.serving.health import Readiness, health_app
from stowplan.serving.http import Drain, Listener, serve

log = logging.getLogger(__name__)

SourceOf = Callable[[ApiClient, SourceMetrics], UsageSource]


class RecommenderService:
    """One recommender process.

    Args:
        settings: see there.
        api: an open client.
        source_of: makes the source of usage.
        registry: of the metrics.
        clock: Unix seconds.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        settings: RecommenderSettings,
        api: ApiClient,
        source_of: SourceOf,
        registry: CollectorRegistry,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._api = api
        self._registry = registry
        self._clock = clock
        self._sleep = sleep
        self._metrics = ServiceMetrics(registry)
        self._source_metrics = SourceMetrics(registry, clock)
        self._reflector_metrics = ReflectorMetrics(registry)
        self._source = source_of(api, self._source_metrics)
        seconds = settings.lease_seconds
        self.election = LeaderElection(
            api,
            settings.namespace,
            settings.lease_name,
            settings.identity or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            terms=LeaseTerms(seconds, seconds * 2 / 3, min(2.0, seconds / 7.5)),
        )
        self._learning: Learning | None = None
        self._standing_by = False

    @property
    def learning(self) -> Learning | None:
        """What learns now; None while another process holds the Lease."""
        return self._learning

    @property
    def _ready(self) -> bool:
        return self._standing_by or (self._learning is not None and self._learning.ready)

    async def run(self, drain: Drain, listening: Callable[[list[int]], None] | None = None) -> None:
        """Serve until `drain` begins; then write what is open, and give up the Lease.

        Raises whatever ended it from within, so that the process does not look as if it had been told to end.
        """
        readiness = Readiness({"draining": lambda: not drain.draining, "learning": lambda: self._ready})
        settings = self._settings
        health = Listener(health_app(readiness, self._registry), settings.metrics_host, settings.metrics_port)
        election = asyncio.create_task(self.election.run())
        terms = asyncio.create_task(self._terms())
        drain_on_failure(drain, (election, terms), "the recommender failed; ending")
        try:
            await serve([health], drain, drain_seconds=0, listening=listening)
        finally:
            terms.cancel()
            await asyncio.gather(terms, return_exceptions=True)
            election.cancel()
            await asyncio.gather(election, return_exceptions=True)
            await self.election.release()
        raise_failure((terms, election))

    async def _terms(self) -> None:
        """Learn whenever the Lease is held, each time from what is written: another process may have gone on meanwhile."""
        while True:
            self._standing_by = not self.election.held
            await self.election.wait_held()
            self._standing_by = False
            self._metrics.active.set(1)
            try:
                await self._one_term()
            finally:
                self._learning = None
                self._metrics.active.set(0)
            self._metrics.losses.inc()

    async def _one_term(self) -> None:
        store = ProfileStore(self._api, self._settings.namespace, lambda: self.election.remaining)
        metrics = (self._metrics, self._source_metrics, self._reflector_metrics)
        self._learning = Learning(
            self._api, store, self._source, metrics, self._settings, clock=self._clock, sleep=self._sleep
        )
        work = asyncio.create_task(self._learning.run())
        lost = asyncio.create_task(self.election.wait_lost())
        try:
            await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            work.cancel()
            (result, _) = await asyncio.gather(work, lost, return_exceptions=True)
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
