"""HTTP/1.1 for calls that are answered at once: parsed by llhttp, answered where the bytes arrive.

A general server spends a task, several futures and two header dictionaries on each request, which is right where a handler waits for
something. The scheduler's and the API server's calls wait for nothing, and pods wait for them (docs/decisions/0009). Bounds
are those of the general server: head and body, time for a request, time between two of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import httptools
import msgspec

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

log = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line, headers, sizes of chunks, trailers: all but the body, without the first piece that is read. aiohttp allows 8 KiB a line."""
REQUEST_SECONDS: Final = 30.0
"""From the first byte of a request to its last. kube-scheduler gives an extender 5 s by default (`httpTimeout`)."""
_TICK_SECONDS: Final = 1.0


class Call(msgspec.Struct, frozen=True):
    """A request."""

    method: str
    target: str
    """Path and query, as sent."""
    body: bytes
    since: float | None = None
    """When its first byte was read, by the server's clock."""


class Answer(msgspec.Struct, frozen=True):
    """A response."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "application/json"


def refusal(status: HTTPStatus, text: str) -> Answer:
    """An answer in plain text that says why there is no other."""
    return Answer(text.encode(), status, "text/plain; charset=utf-8")


class DirectServer:
    """Serves one function.

    Args:
        answer: decides without waiting. What it raises is logged and becomes a 500; the connection lives on.
        draining: while true, every answer asks for the connection's end.
        max_body_bytes: a longer body is refused with 413.
        idle_seconds: a connection without a request for so long is closed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        answer: Callable[[Call], Answer],
        draining: Callable[[], bool],
        *,
        max_body_bytes: int,
        idle_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.answer = answer
        self.draining = draining
        self.max_body_bytes = max_body_bytes
        self.clock = clock
        self.date = b""
        self.connections: set[Connection] = set()
        self._idle_seconds = idle_seconds
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int, backlog: int, ssl_context: ssl.SSLContext | None) -> int:
        """Listen; gives the port.

        Raises:
            OSError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), host, port, backlog=backlog, ssl=ssl_context, reuse_address=True
        )
        self._set_date()
        self._ticking = asyncio.create_task(self._tick())
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self, grace_seconds: float) -> None:
        """Stop listening; requests half received get `grace_seconds` to arrive and be answered."""
        if self._server is None or self._ticking is None:
            return
        self._server.close()
        until = self.clock() + grace_seconds
        while self.connections and self.clock() < until:
            for connection in [idle for idle in self.connections if not idle.receiving]:
                connection.close()
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._set_date()
            now = self.clock()
            for connection in list(self.connections):
                limit = REQUEST_SECONDS if connection.receiving else self._idle_seconds
                if now - connection.since > limit:
                    connection.abort()

    def _set_date(self) -> None:
        self.date = formatdate(usegmt=True).encode()


class Connection(asyncio.Protocol):
    """The server's end of a connection, called by asyncio (transport) and by httptools (parser)."""

    def __init__(self, server: DirectServer) -> None:
        self._server = server
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._begun = 0  # requests
        self._head_bytes = 0
        self._target = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._ending = False
        self.receiving = False
        """Whether a request has begun and not been answered yet."""
        self.since = server.clock()
        """When `receiving` last changed."""

    def close(self) -> None:
        """Send what is written, then close."""
        self._ending = True
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._ending = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once by asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # what a TCP server makes
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once by asyncio."""
        del exc
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        """The peer does not read its answers: take no more requests from it meanwhile."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Parse; answers are written from within `on_message_complete`."""
        if self._ending:
            return  # thrown away, so that a peer that is still sending can read why it was refused
        begun, body_bytes = self._begun, self._body_bytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.BAD_REQUEST, "this server does not upgrade connections")
        except httptools.HttpParserError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"not HTTP/1.1: {error}")
        if self.receiving and self._begun == begun:
            self._head_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"head longer than {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._begun += 1
        self._head_bytes = self._body_bytes = 0
        self._target = b""
        self._body.clear()
        self._expect(True)

    def on_url(self, url: bytes) -> None:
        """Called by the parser, once for each piece."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if len(name) == _EXPECT_LENGTH and name.lower() == b"expect" and value.lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Called by the parser, once for each piece."""
        self._body_bytes += len(body)
        if self._body_bytes <= self._server.max_body_bytes:
            self._body.append(body)
        else:
            self._body.clear()
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body longer than {self._server.max_body_bytes} bytes")

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._ending:
            return
        since = self.since
        self._expect(False)
        method = self._parser.get_method().decode("ascii")
        call = Call(method, self._target.decode("latin-1"), b"".join(self._body), since)
        self._body.clear()
        try:
            answer = self._server.answer(call)
        except Exception:
            log.exception("%s %s failed", call.method, call.target.partition("?")[0])
            answer = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the log of this process says more")
        self._write(answer, last=self._server.draining() or not self._parser.should_keep_alive(), head=method == "HEAD")

    def _expect(self, receiving: bool) -> None:
        self.receiving = receiving
        self.since = self._server.clock()

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        if not self._ending:
            self._write(refusal(status, text), last=True)

    def _write(self, answer: Answer, *, last: bool, head: bool = False) -> None:
        self._transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nDate: %b\r\n%b\r\n"
            % (
                answer.status,
                answer.status.phrase.encode(),
                answer.content_type.encode(),
                len(answer.body),
                self._server.date,
                b"Connection: close\r\n" if last else b"",
            )
            + (b"" if head else answer.body)
        )
        if last:
            self._end()

    def _end(self) -> None:
        """Say no more, and leave the closing to a peer that is still sending: it would reset the connection, and the answer with it.

        A peer that does not close within the time for a request is closed (`DirectServer`).
        """
        self._ending = True
        if self.receiving:
            return
        self._transport.close()


_EXPECT_LENGTH: Final = len(b"expect")
