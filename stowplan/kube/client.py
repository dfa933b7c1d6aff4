"""A small asynchronous client: raw JSON over aiohttp, our own errors, paginated lists, watch lines.

No retries: whoever calls knows whether a call may be repeated. The one exception is an expired bearer token.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import aiohttp
import msgspec
from yarl import URL

from stowplan.kube.codec import MAX_LINE_BYTES, LineSplitter, error_from_status
from stowplan.kube.errors import TooLarge, Unauthorized, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import TracebackType

    from stowplan.kube.connection import Connection

Param = str | int | bool | None
PatchType = Literal["merge-patch", "json-patch", "strategic-merge-patch", "apply"]

PAGE: Final = 500
"""Objects per page of a list: the page size of client-go and kubectl."""
_TOKEN_SECONDS: Final = 60.0
"""A token is asked for again after this long. Projected tokens rotate at 80 % of at least ten minutes."""
_CONTENT_TYPES: Final[dict[PatchType, str]] = {
    "merge-patch": "application/merge-patch+json",
    "json-patch": "application/json-patch+json",
    "strategic-merge-patch": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",  # every JSON document is YAML
}


class ApiClient:
    """Calls to one API server, used as ``async with ApiClient(connection) as api``.

    Every call raises `ApiError` (or the subclass for its status) when the server says no and `Unreachable`
    when there is no answer. Query parameters carry the API's own names (``labelSelector=...``); ``None`` is
    left out. Bodies and results are plain JSON values.

    Args:
        connection: where and as whom.
        timeout_seconds: bound of a whole call, watches excepted.
        clock: monotonic seconds, for the age of the cached token.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=10.0)
        self._clock = clock
        self._token: str | None = None
        self._token_until = float("-inf")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connection pool. Watches hold a connection each, so the pool has no limit."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._connection.ssl_context or True),
            headers={"Accept": "application/json", "User-Agent": "stowplan"},
            proxy=self._connection.proxy,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the pool; calls in flight fail."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)  # connections cut off just now close their sockets in the loop's next turn

    @property
    def connection(self) -> Connection:
        """The connection this client was made with."""
        return self._connection

    async def get(self, path: str, **params: Param) -> Any:
        """GET one object or one page."""
        return msgspec.json.decode(await self.get_bytes(path, **params))

    async def get_bytes(self, path: str, **params: Param) -> bytes:
        """GET without decoding."""
        return await self._call("GET", path, params)

    async def get_bytes_bounded(self, path: str, max_bytes: int, **params: Param) -> bytes:
        """GET without decoding, for what is not paginated.

        Raises:
            TooLarge: the body is longer than ``max_bytes``; the rest of it is not read.
        """
        parts: list[bytes] = []
        received = 0
        async with self._open("GET", path, params) as response:
            async for chunk in response.content.iter_any():
                received += len(chunk)
                if received > max_bytes:
                    raise TooLarge(
                        f"{path}: the answer is longer than {max_bytes} bytes; ask for less, or raise the bound"
                    )
                parts.append(chunk)
        return b"".join(parts)

    async def list(self, path: str, limit: int = PAGE, **params: Param) -> tuple[list[Any], str]:
        """All objects of a collection, page by page, and the list's resource version.

        Raises `Gone` when a page's continue token expired (after about five minutes): start again.
        """
        items: list[Any] = []
        token: str | None = None
        while True:
            page = await self.get(path, **{**params, "limit": limit, "continue": token})
            items.extend(page.get("items") or ())
            token = page["metadata"].get("continue") or None
            if token is None:
                return items, page["metadata"].get("resourceVersion", "")

    async def create(self, path: str, body: Any, **params: Param) -> Any:
        """POST an object to its collection; also subresources such as ``binding`` and ``eviction``."""
        return await self._send("POST", path, body, "application/json", params)

    async def replace(self, path: str, body: Any, **params: Param) -> Any:
        """PUT an object; with a ``resourceVersion`` in it, a concurrent change is a `Conflict`."""
        return await self._send("PUT", path, body, "application/json", params)

    async def patch(self, path: str, body: Any, content_type: PatchType = "merge-patch", **params: Param) -> Any:
        """PATCH an object."""
        return await self._send("PATCH", path, body, _CONTENT_TYPES[content_type], params)

    async def apply(self, path: str, body: Any, field_manager: str, *, force: bool = False) -> Any:
        """Server-side apply: creates or updates; a field of another manager is a `Conflict` unless forced."""
        params: dict[str, Param] = {"fieldManager": field_manager, "force": force}
        return await self._send("PATCH", path, body, _CONTENT_TYPES["apply"], params)

    async def delete(self, path: str, body: Any = None, **params: Param) -> Any:
        """DELETE an object or a collection; ``body`` may be DeleteOptions (preconditions, propagation)."""
        return await self._send("DELETE", path, body, "application/json", params)

    async def watch(
        self,
        path: str,
        resource_version: str,
        timeout_seconds: int = 300,
        *,
        idle_seconds: float = 150.0,
        max_line_bytes: int = MAX_LINE_BYTES,
        pace_seconds: float = 0.0,
        **params: Param,
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a watch from ``resource_version`` on, bookmarks included, until the server closes it.

        Args:
            path: of the collection.
            resource_version: where to start, exclusive.
            timeout_seconds: after this long the server ends the watch cleanly.
            idle_seconds: silence after which the connection is presumed dead (`Unreachable`); the server
                sends a bookmark about every minute.
            max_line_bytes: bound of a line, see `LineSplitter`.
            pace_seconds: after what came at once has been handed out, leave the connection alone for so long, so that a busy watch
                costs a few wake-ups a second instead of one for each event.
            params: selectors, by the API's names.
        """
        query: dict[str, Param] = {
            **params,
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": resource_version,
            "timeoutSeconds": timeout_seconds,
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=idle_seconds)
        splitter = LineSplitter(max_line_bytes)
        async with self._open("GET", path, query, timeout=timeout) as response:
            # Not readline(): it fails on lines longer than its buffer, and a Pod may be larger than that.
            async for chunk in response.content.iter_any():
                for line in splitter.feed(chunk):
                    yield line
                if pace_seconds:
                    await _leave_alone(response, pace_seconds)

    async def _send(self, method: str, path: str, body: Any, content_type: str, params: dict[str, Param]) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        answer = await self._call(method, path, params, data=data, headers={"Content-Type": content_type})
        return msgspec.json.decode(answer) if answer else None

    async def _call(self, method: str, path: str, params: dict[str, Param], **options: Any) -> bytes:
        try:
            async with self._open(method, path, params, **options) as response:
                return await response.read()
        except Unauthorized:
            if self._connection.token is None:
                raise
        async with self._open(method, path, params, **options) as response:
            return await response.read()

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, params: dict[str, Param], **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; yields a successful response, raises our errors for everything else."""
        session = self._session
        if session is None:
            raise RuntimeError("ApiClient is not open: use it as `async with ApiClient(connection) as api`")
        url = URL(self._connection.base_url + path, encoded=True).with_query(_query(params))
        options.setdefault("timeout", self._timeout)
        options["headers"] = {**options.get("headers", {}), **await self._authorization()}
        if self._connection.server_hostname:
            options["server_hostname"] = self._connection.server_hostname
        try:
            async with session.request(method, url, allow_redirects=False, **options) as response:
                if response.status == HTTPStatus.UNAUTHORIZED:
                    self._token_until = float("-inf")  # expired early: the next call asks for a fresh one
                if response.status not in range(200, 300):
                    raise error_from_status(
                        await response.read(), status=response.status, retry_after=_retry_after(response)
                    )
                try:
                    yield response
                finally:
                    _cut_off(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = str(error) or type(error).__name__
            raise Unreachable(f"{method} {self._connection.base_url}{path}: {text}") from error

    async def _authorization(self) -> dict[str, str]:
        provider = self._connection.token
        if provider is None:
            return {}
        if self._clock() >= self._token_until:
            try:
                self._token = await asyncio.to_thread(provider)
            except OSError as error:
                raise Unreachable(f"bearer token cannot be read: {error}") from error
            self._token_until = self._clock() + _TOKEN_SECONDS
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


def _cut_off(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of a response that was not read to its end (a cancelled watch), without the farewell of TLS.

    The farewell would keep the socket open until the server answers it, up to 30 s, past the end of the client that opened it.
    """
    transport = _transport_of(response)
    if transport is not None:
        transport.abort()


def _transport_of(response: aiohttp.ClientResponse) -> asyncio.Transport | None:
    """The transport of a response that was not read to its end."""
    return response.connection.transport if response.connection is not None else None


async def _leave_alone(response: aiohttp.ClientResponse, seconds: float) -> None:
    """Read nothing for a while; what comes meanwhile waits in the kernel's buffer. The end of the connection is noticed afterwards."""
    transport = _transport_of(response)
    if transport is not None:
        transport.pause_reading()
    await asyncio.sleep(seconds)
    if transport is not None and not transport.is_closing():
        transport.resume_reading()


def _query(params: dict[str, Param]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in params.items()
        if value is not None
    }


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
