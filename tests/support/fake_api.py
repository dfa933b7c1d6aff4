"""A fake API server: the list and watch protocol of one store, with the failures a test asks for.

It keeps objects and a log of events by resource version, as etcd and the watch cache do.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection

Answer = Callable[[web.Request], web.Response]


def status_response(code: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    """A failure as the API server words it."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": f"fake says {reason}"}
    return web.json_response(body, status=code, headers=headers)


def pod(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    """A pod with the little a reflector looks at."""
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, **more}


@dataclass
class FakeApi:
    """The store and the scripted failures.

    Attributes:
        version: resource version of the last change; starts above zero as in a real cluster.
        oldest: watches from before this version get 410, as after compaction.
        list_failures: answers given to the next list requests instead of a page.
        watch_failures: answers given to the next watch requests instead of a stream.
        requests: every request as (path, query).
    """

    version: int = 100
    oldest: int = 0
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    list_failures: deque[Answer] = field(default_factory=deque)
    watch_failures: deque[Answer] = field(default_factory=deque)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _hang_up: int = 0
    _pages: dict[str, tuple[list[dict[str, Any]], int]] = field(default_factory=dict)

    def put(self, item: dict[str, Any]) -> None:
        """Create or update an object and tell the watchers."""
        key = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        kind = "MODIFIED" if key in self.objects else "ADDED"
        self.version += 1
        stored = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self.objects[key] = stored
        self._emit({"type": kind, "object": stored})

    def remove(self, name: str, namespace: str = "default") -> None:
        """Delete an object and tell the watchers."""
        gone = self.objects.pop((namespace, name))
        self.version += 1
        last = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
        self._emit({"type": "DELETED", "object": last})

    def bookmark(self) -> None:
        """Move the watchers' resource version without an object, as for changes they do not select."""
        self.version += 1
        self._emit({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}})

    def error_event(self, code: int, reason: str) -> None:
        """Send an ERROR event to the watchers of now."""
        self._emit({"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": reason}}, once=True)

    def compact(self) -> None:
        """Forget all history: older watches and continue tokens are Gone."""
        self.oldest = self.version
        self._pages.clear()

    def hang_up(self) -> None:
        """Close every watch cleanly, as the server does at ``timeoutSeconds``."""
        self._hang_up += 1
        self._wake()

    def lists(self) -> list[dict[str, str]]:
        """Queries of the list requests so far."""
        return [query for _, query in self.requests if "watch" not in query]

    def watches(self) -> list[dict[str, str]]:
        """Queries of the watch requests so far."""
        return [query for _, query in self.requests if "watch" in query]

    def _emit(self, event: dict[str, Any], *, once: bool = False) -> None:
        # An ERROR is no history: it carries version -1 and is skipped by watches opened later.
        self.log.append((-1 if once else self.version, event))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """List or watch, by the query."""
        query = dict(request.query)
        self.requests.append((request.path, query))
        if "watch" in query:
            if self.watch_failures:
                return self.watch_failures.popleft()(request)
            return await self._watch(request, int(query["resourceVersion"]))
        if self.list_failures:
            return self.list_failures.popleft()(request)
        return self._page(int(query["limit"]), query.get("continue"))

    def _page(self, limit: int, token: str | None) -> web.Response:
        if token is None:
            items, version = [self.objects[key] for key in sorted(self.objects)], self.version
        elif token in self._pages:
            items, version = self._pages.pop(token)
        else:
            return status_response(410, "Expired")
        metadata = {"resourceVersion": str(version)}
        if len(items) > limit:
            metadata["continue"] = following = f"token-{len(self.requests)}"
            self._pages[following] = (items[limit:], version)
        return web.json_response({"metadata": metadata, "items": items[:limit]})

    async def _watch(self, request: web.Request, version: int) -> web.StreamResponse:
        if version < self.oldest:
            # As the real server for a version it has compacted: HTTP 200 and an ERROR event.
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            return web.Response(text=json.dumps({"type": "ERROR", "object": status}) + "\n")
        response = web.StreamResponse()
        with suppress(ConnectionResetError):  # whoever watched may have gone: nobody is left to tell
            await self._stream(request, response, version)
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse, version: int) -> None:
        await response.prepare(request)
        hang_up, opened_at, sent = self._hang_up, len(self.log), 0
        while hang_up == self._hang_up:
            changed = self._changed
            for position in range(sent, len(self.log)):
                at, event = self.log[position]
                if at > version or (at == -1 and position >= opened_at):
                    await response.write(json.dumps(event).encode() + b"\n")
            sent = len(self.log)
            if changed is self._changed:
                await changed.wait()
        await response.write_eof()


@asynccontextmanager
async def serving_api(fake: FakeApi) -> AsyncIterator[ApiClient]:
    """A client of ``fake`` over a real socket."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", fake.handle)
    async with TestServer(app) as server:
        try:
            async with ApiClient(Connection(f"http://127.0.0.1:{server.port}")) as api:
                yield api
        finally:
            fake.hang_up()
