"""Asks Prometheus for a stretch of time in as many parts as its answers may be large."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator
from typing import Final, Protocol

from recommender.sources.prometheus_api import Labels, PrometheusError, Series, TooMuchDataError
from recommender.sources.promql import CPU, Queries
from recommender.sources.readings import Extract, Reading, Readings, extract

log = logging.getLogger(__name__)

LONGEST_S: Final = 3600
"""Readings further apart make no sample: the mean of more than an hour says nothing about peaks."""
MOST_NAMESPACES: Final = 50
"""Named in one query: their names may be 63 letters, and addresses of more than 4 KiB or so do not pass every proxy."""


class QueryApi(Protocol):
    """What is needed of `PrometheusApi`."""

    async def query_range(self, query: str, start_s: int, end_s: int, step_s: int) -> list[Series]:
        """The values of a query at start, start + step ... end."""

    async def namespaces(self, matcher: str, start_s: int, end_s: int) -> list[str]:
        """The namespaces that a selector finds."""


class BoundedQueries:
    """All containers at once; where that is too much, some namespaces at a time; where one is, the time in halves.

    How many namespaces fit is found out by trying, and remembered.

    Args:
        api: open.
        selector: further label matchers.
        step_s: between two evaluations; stretches of time are multiples of it.
    """

    def __init__(self, api: QueryApi, selector: str, step_s: int) -> None:
        self._api = api
        self._selector = selector
        self._step_s = step_s
        self._width = 0
        """Namespaces asked for at a time; 0: all."""

    async def samples(
        self, start_s: int, end_s: int, known: dict[Labels, Reading], after_s: float = -math.inf
    ) -> AsyncIterator[Extract]:
        """The samples of a stretch of time, in parts.

        Args:
            start_s: the first evaluation.
            end_s: the last evaluation.
            known: by series, the reading that the last sample ended with; kept up to date with what is handed over, so that a gap
                between readings is bridged wherever the parts are cut.
            after_s: no sample ends by then.

        Raises:
            PrometheusError: a query failed; `TooMuchDataError` where even one step of one namespace is too much.
        """
        everything = Queries(self._selector)
        if not self._width:
            try:
                yield await self._part(everything, start_s, end_s, known, after_s)
            except TooMuchDataError as error:
                log.info("prometheus: asking for some namespaces at a time, because: %s", error)
                self._width = MOST_NAMESPACES
            else:
                return
        names = await self._api.namespaces(f"{CPU}{{{everything.matchers}}}", start_s, end_s)
        while names:
            group = Queries(self._selector, tuple(names[: self._width]))
            if len(group.namespaces) == 1:
                async for part in self._in_halves(group, start_s, end_s, known, after_s):
                    yield part
            else:
                try:
                    yield await self._part(group, start_s, end_s, known, after_s)
                except TooMuchDataError:
                    self._width = len(group.namespaces) // 2
                    continue
            names = names[len(group.namespaces) :]
            self._width = min(MOST_NAMESPACES, self._width + max(1, self._width // 8))

    async def _in_halves(
        self, queries: Queries, start_s: int, end_s: int, known: dict[Labels, Reading], after_s: float
    ) -> AsyncIterator[Extract]:
        try:
            yield await self._part(queries, start_s, end_s, known, after_s)
        except TooMuchDataError:
            half = start_s + (end_s - start_s) // (2 * self._step_s) * self._step_s
            if half == start_s:
                raise
            for first, last in ((start_s, half), (half, end_s)):
                async for part in self._in_halves(queries, first, last, known, after_s):
                    yield part

    async def _part(
        self, queries: Queries, start_s: int, end_s: int, known: dict[Labels, Reading], after_s: float
    ) -> Extract:
        async def ask(query: str) -> list[Series]:
            return await self._api.query_range(query, start_s, end_s, self._step_s)

        cpu = await ask(queries.cpu)
        if not cpu:
            return Extract()
        rest = [queries.measured_at, queries.memory(self._step_s), queries.throttled, queries.periods, queries.started]
        readings = Readings(start_s, cpu, *[await ask(query) for query in rest])
        try:
            found = extract(readings, max(LONGEST_S, 3 * self._step_s), known, after_s)
        except ValueError as error:
            raise PrometheusError(f"a value is no number: {error}; is this the Prometheus HTTP API?") from error
        known.update(found.newest)
        return found
