"""Prometheus (or Thanos, Mimir) as a source of usage: live, and up to weeks back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from recommender.sources.bounded_queries import LONGEST_S, BoundedQueries
from recommender.sources.metrics import SourceCounters, SourceMetrics
from recommender.sources.observation import UsageSample
from recommender.sources.prometheus_api import Labels, PrometheusApi, PrometheusError, Series, TooMuchDataError
from recommender.sources.promql import CPU
from recommender.sources.readings import Reading
from recommender.sources.retry import Backoff

T = TypeVar("T")

log = logging.getLogger(__name__)

NAME: Final = "prometheus"
_DAY_S: Final = 86_400
_OVERLAP_S: Final = 300
"""Asked for again with each poll: what reached Prometheus this late is still seen."""
_BATCH: Final = 20_000
"""Samples handed over at once in a back-fill."""
_ATTEMPTS: Final = 6
"""Failures of one query in a row after which a back-fill stops; it can be taken up again from where it was."""


class PrometheusSource:
    """Usage of all containers from cAdvisor's metrics, as the kubelets' job of Prometheus scrapes them.

    Args:
        api: open.
        metrics: counters.
        clock: Unix seconds.
        monotonic: monotonic seconds, for the waiting after failures.
        sleep: waits the given seconds.
    """

    name = NAME

    def __init__(
        self,
        api: PrometheusApi,
        metrics: SourceMetrics,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        settings = self._settings = api.settings
        self._count = metrics.of(NAME)
        self._clock = clock
        self._health = _Health(self._count, Backoff(monotonic))
        self._live = BoundedQueries(api, settings.selector, settings.step_s)
        patient = _PatientApi(api, self._health, sleep)
        self._past = BoundedQueries(patient, settings.selector, settings.back_fill_step_s)
        self._known: dict[Labels, Reading] = {}
        """The reading that the last live sample of each series ended with."""
        self._polled_until_s: int | None = None
        self._back_filled_until_s: int | None = None

    @property
    def back_filled_until_s(self) -> int | None:
        """All samples of a back-fill up to this time have been handed over: where it can be taken up again. None before the first."""
        return self._back_filled_until_s

    async def poll(self) -> Sequence[UsageSample]:
        """What was measured since the last call (or the end of a back-fill, if that is recent, else in the last minutes).

        After an outage of Prometheus or of ours, the time that was missed is caught up, one `chunk_s` a call.
        """
        step = self._settings.step_s
        newest_s = _down(int(self._clock()) - self._settings.delay_s, step)
        start_s = self._start_of_poll(newest_s)
        until_s = min(newest_s, start_s + self._settings.chunk_s)
        if self._health.waiting or until_s <= start_s:
            return ()
        samples: list[UsageSample] = []
        known = dict(self._known)
        try:
            async for part in self._live.samples(_down(start_s - _OVERLAP_S, step), until_s, known):
                samples += part.samples
                self._count.resets(part.resets)
        except PrometheusError as error:
            self._health.failed(error)
            return ()
        self._health.succeeded()
        self._polled_until_s = until_s
        self._note_known(known, until_s)
        self._count.delivered(samples)
        return samples

    async def back_fill(self, since_s: int, until_s: int) -> AsyncIterator[Sequence[UsageSample]]:
        """Samples of the past, chunk by chunk of time, none of which reaches over midnight UTC; within a chunk by namespace if need be.

        It stops early when Prometheus keeps failing; `back_filled_until_s` says how far it came. What was handed over of a chunk that
        was not finished comes again then.
        """
        step = self._settings.back_fill_step_s
        first = cursor = _down(since_s, step)
        end = _down(until_s, step)
        known: dict[Labels, Reading] = {}
        start_s = (
            first - LONGEST_S // step * step
        )  # what was read last before, perhaps by another run of ours that ended there
        while cursor < end:
            upto = min(cursor + self._settings.chunk_s, _down(cursor, _DAY_S) + _DAY_S, end)
            try:
                async for part in self._past.samples(start_s, upto, known, first):
                    self._count.resets(part.resets)
                    for at in range(0, len(part.samples), _BATCH):
                        batch = part.samples[at : at + _BATCH]
                        self._count.delivered(batch)
                        yield batch
            except PrometheusError as error:
                log.error("%s: the back-fill stops at %s of %s to %s: %s", NAME, cursor, first, end, error)  # noqa: TRY400 - known
                return
            cursor = start_s = self._back_filled_until_s = upto
            known = _recent(known, upto)
            self._count.progress((cursor - first) / (end - first))

    def _start_of_poll(self, newest_s: int) -> int:
        if self._polled_until_s is not None:
            return self._polled_until_s
        filled = self._back_filled_until_s
        if filled is not None and filled > newest_s - _DAY_S:
            return _down(filled, self._settings.step_s)
        return newest_s - max(_OVERLAP_S, self._settings.step_s)

    def _note_known(self, known: dict[Labels, Reading], until_s: int) -> None:
        if not known:
            self._health.nothing_found()
        self._known = _recent(known, until_s)


class _Health:
    """Counts and says what becomes of requests; a complaint once per outage."""

    def __init__(self, count: SourceCounters, backoff: Backoff) -> None:
        self._count = count
        self._backoff = backoff
        self._complained = ""
        self._hinted = False

    @property
    def waiting(self) -> bool:
        return self._backoff.waiting

    @property
    def remaining_s(self) -> float:
        return self._backoff.remaining_s

    def succeeded(self) -> None:
        self._backoff.succeeded()
        self._count.succeeded()
        if self._complained:
            log.info("%s: answers again", NAME)
            self._complained = ""

    def failed(self, error: PrometheusError) -> None:
        self._backoff.failed()
        self._count.failed(error)
        if str(error) != self._complained:
            self._complained = str(error)
            log.warning("%s: %s", NAME, error)

    def nothing_found(self) -> None:
        if not self._hinted:
            self._hinted = True
            log.warning(
                "%s: there is no %s with the labels namespace, pod and container; let Prometheus scrape /metrics/cadvisor "
                "of the kubelets, and check the extra selector",
                NAME,
                CPU,
            )


class _PatientApi:
    """Asks again, after a while, what failed."""

    def __init__(self, api: PrometheusApi, health: _Health, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._api = api
        self._health = health
        self._sleep = sleep

    async def query_range(self, query: str, start_s: int, end_s: int, step_s: int) -> list[Series]:
        return await self._patiently(lambda: self._api.query_range(query, start_s, end_s, step_s))

    async def namespaces(self, matcher: str, start_s: int, end_s: int) -> list[str]:
        return await self._patiently(lambda: self._api.namespaces(matcher, start_s, end_s))

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_ATTEMPTS - 1):
            try:
                answer = await call()
            except TooMuchDataError:
                raise  # the same question would get the same answer
            except PrometheusError as error:
                self._health.failed(error)
                await self._sleep(self._health.remaining_s)
            else:
                self._health.succeeded()
                return answer
        return await call()


def _recent(known: dict[Labels, Reading], until_s: int) -> dict[Labels, Reading]:
    """Without what no sample can begin with any more."""
    return {labels: reading for labels, reading in known.items() if reading.t_s > until_s - 2 * LONGEST_S}


def _down(t_s: int, step: int) -> int:
    """The last multiple of a step."""
    return t_s - t_s % step
