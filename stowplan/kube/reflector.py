"""Keeps a handler's store equal to a collection on the API server, by list and watch.

Objects are projected at ingest and never kept raw: 150,000 pods as dictionaries are 4.2 GB and collector
pauses of 5 s, as projected structs 41 MB and 4 ms (measured on CPython 3.11).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, runtime_checkable

import msgspec

from stowplan.kube.client import PAGE
from stowplan.kube.codec import decode_event, decode_list, error_from_status, identify
from stowplan.kube.errors import BrokenStream, KubeError
from stowplan.kube.list_watch import ListPage, ListWatch, Wait, Watch
from stowplan.kube.reflector_metrics import ReflectorMetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from stowplan.kube.client import ApiClient
    from stowplan.kube.codec import ObjectKey
    from stowplan.kube.paths import Resource

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 256
"""Events after which other tasks get a turn: a burst of a busy watch must not hold up a request."""
_WATCH_SECONDS: Final = 300


class Handler(Protocol[T_contra]):
    """The store behind a reflector. Calls come from the event loop, one at a time, and must not block."""

    def replace(self, items: Sequence[T_contra]) -> None:
        """The collection is exactly this; whatever else the store holds has vanished."""

    def upsert(self, item: T_contra) -> None:
        """The object is new or has changed."""

    def delete(self, key: ObjectKey) -> None:
        """The object is gone, or its projection is ``None`` (or failed) now. It may be unknown."""


@runtime_checkable
class PagedHandler(Handler[T_contra], Protocol[T_contra]):
    """A store that takes lists object by object, so that a list of everything is never held beside it. `replace` is not called."""

    def begin_list(self) -> None:
        """A list begins; one that did not end is void, what it showed was true all the same."""

    def add_listed(self, item: T_contra) -> None:
        """The object is part of the list."""

    def end_list(self) -> None:
        """The collection is exactly what was listed."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource: one namespace or all, and the API's selectors."""

    namespace: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None

    def params(self) -> dict[str, Any]:
        """The selectors as query parameters."""
        return {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}


class Reflector(Generic[T]):
    """List, watch, project, hand over; for ever.

    Args:
        api: an open client.
        resource: the resource type.
        project: from the raw JSON of one object to what the store keeps, or ``None`` to leave it out. When it
            raises, that object is left out, counted and logged once; the stream goes on.
        handler: the store.
        selection: which objects; default all of them.
        metrics: shared by all reflectors of a process; one of its own when absent.
        name: label of the metrics and logs; default the resource's.
        page: objects per list page.
        pace_seconds: of `ApiClient.watch`: how long events may wait to be taken together.
        watch_seconds: a watch is asked to last this long to twice this long, as in client-go: spreads reconnects.
        sleep: waits the given seconds.
        uniform: uniform in [0, 1), for the jitter.
        clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - four parts and three injected effects, all but four defaulted
        self,
        api: ApiClient,
        resource: Resource,
        project: Callable[[msgspec.Raw], T | None],
        handler: Handler[T],
        *,
        selection: Selection = Selection(),
        metrics: ReflectorMetrics | None = None,
        name: str | None = None,
        page: int = PAGE,
        pace_seconds: float = 0.0,
        watch_seconds: int = _WATCH_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name or resource.label
        self._api = api
        self._path = resource.path(selection.namespace)
        self._params = selection.params()
        self._project = project
        self._handler = handler
        self._paged = handler if isinstance(handler, PagedHandler) else None
        self._count = (metrics or ReflectorMetrics()).of(self.name, lambda: self.lag_seconds)
        self._page = page
        self._pace_seconds = pace_seconds
        self._watch_seconds = watch_seconds
        self._sleep = sleep
        self._uniform = uniform
        self._clock = clock
        self._machine = ListWatch(uniform)
        self._synced = asyncio.Event()
        self._last_event_at: float | None = None
        self._listed: list[T] = []
        self._complained = False

    @property
    def synced(self) -> bool:
        """Whether the store has held the whole collection at least once."""
        return self._synced.is_set()

    @property
    def last_event_at(self) -> float | None:
        """Clock time of the last page, event or bookmark; ``None`` before the first."""
        return self._last_event_at

    @property
    def lag_seconds(self) -> float:
        """Seconds since the server was last heard of; infinite before the first time.

        A quiet collection gets a bookmark about every minute, so more than a few minutes mean trouble.
        """
        return float("inf") if self._last_event_at is None else self._clock() - self._last_event_at

    async def wait_synced(self) -> None:
        """Return once `synced`."""
        await self._synced.wait()

    async def run(self) -> None:
        """Reflect until cancelled. Every failure is counted and retried, never raised."""
        while True:
            opened = self._clock()
            try:
                await self._step()
            except KubeError as error:
                self._fail(error, self._clock() - opened)
            except Exception as error:
                # A handler that raises leaves a store nobody can trust: fill it again from a list.
                log.exception("reflector %s: the handler failed; listing again", self.name)
                self._fail(BrokenStream(str(error)), self._clock() - opened)
                self._machine.restart()

    async def _step(self) -> None:
        step = self._machine.next_step()
        match step:
            case Wait(seconds):
                await self._sleep(seconds)
            case ListPage(token):
                await self._list_page(token)
            case Watch(version):
                await self._watch(version)

    def _fail(self, error: KubeError, seconds_open: float) -> None:
        self._count.errors(type(error).__name__)
        log.warning("reflector %s: %s failed: %s", self.name, "list" if self._machine.listing else "watch", error)
        self._machine.failed(error, seconds_open)

    async def _list_page(self, token: str | None) -> None:
        if token is None:
            self._count.relists()
            self._listed = []
            if self._paged is not None:
                self._paged.begin_list()
        body = await self._api.get_bytes(self._path, **self._params, **{"limit": self._page, "continue": token})
        try:
            page = decode_list(body)
        except msgspec.DecodeError as error:
            raise BrokenStream(f"{self._path}: no list: {error}") from error
        self._heard()
        for raw in page.items or ():
            item = self._projected(raw)
            if item is not None:
                self._add_listed(item)
        if self._machine.page_received(page.metadata):
            self._end_list()
            self._synced.set()
            self._count.synced()

    def _add_listed(self, item: T) -> None:
        if self._paged is not None:
            self._paged.add_listed(item)
        else:
            self._listed.append(item)

    def _end_list(self) -> None:
        if self._paged is not None:
            self._paged.end_list()
            return
        items, self._listed = self._listed, []
        self._handler.replace(items)

    async def _watch(self, version: str) -> None:
        self._count.watches()
        opened = self._clock()
        seconds = int(self._watch_seconds * (1 + self._uniform()))
        lines = self._api.watch(self._path, version, seconds, pace_seconds=self._pace_seconds, **self._params)
        async with aclosing(lines):
            handled = 0
            async for line in lines:
                self._event(line)
                handled += 1
                if handled % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        self._machine.watch_closed(self._clock() - opened)

    def _event(self, line: bytes) -> None:
        try:
            event = decode_event(line)
        except msgspec.DecodeError as error:
            raise BrokenStream(f"{self._path}: no watch event: {error}") from error
        self._heard()
        if event.type == "ERROR":
            raise error_from_status(event.object)
        self._count.events(event.type)
        try:
            key, version = identify(event.object)
        except msgspec.DecodeError as error:
            self._drop(error)
            return
        if event.type != "BOOKMARK":
            self._hand_over(event.type, key, event.object)
        self._machine.event_received(version)

    def _hand_over(self, kind: str, key: ObjectKey, raw: msgspec.Raw) -> None:
        item = None if kind == "DELETED" else self._projected(raw)
        if item is None:
            self._handler.delete(key)
        else:
            self._handler.upsert(item)

    def _projected(self, raw: msgspec.Raw) -> T | None:
        try:
            return self._project(raw)
        except Exception as error:  # noqa: BLE001 - one odd object must never stop the stream of all others
            self._drop(error)
            return None

    def _drop(self, error: Exception) -> None:
        self._count.dropped()
        if not self._complained:  # once: a kind that cannot be read would fill the log
            self._complained = True
            log.error("reflector %s: an object was left out: %s: %s", self.name, type(error).__name__, error)

    def _heard(self) -> None:
        self._last_event_at = self._clock()
