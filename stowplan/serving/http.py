"""HTTP servers with the settings that matter, and a shutdown that loses no call.

The API server keeps idle connections for 90 s and never repeats a POST, so a server that just stops, or that
sleeps and then stops, fails calls (measured with 32 clients: 3 of 6 runs). While draining, every response
carries ``Connection: close``; clients move to another replica by themselves, and then we stop (0 of 7 runs).
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from stowplan.serving.direct import DirectServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

    from stowplan.serving.direct import Answer, Call

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""An AdmissionReview holds an object of at most 3 MiB, twice for an update."""
KEEPALIVE_SECONDS: Final = 180.0
"""Above the API server's 90 s, so that it is never us who closes a connection it is about to use."""
BACKLOG: Final = 1024
"""Connections waiting to be accepted: a scheduler or an API server may open its whole pool at once."""


class Drain:
    """The one switch from serving to shutting down."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether shutdown has begun; readiness must be false from then on."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Begin. Any number of calls."""
        self._begun.set()

    async def wait(self) -> None:
        """Return once begun."""
        await self._begun.wait()

    def on_signals(self, *signals: signal.Signals) -> None:
        """Begin on these signals (default SIGTERM and SIGINT) of the running loop's process."""
        loop = asyncio.get_running_loop()
        for number in signals or (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.begin)

    def install(self, app: web.Application) -> None:
        """Let every response of ``app`` ask for the connection's end while draining."""
        app.on_response_prepare.append(self._close_after)

    async def _close_after(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self._begun.is_set():
            response.force_close()
            response.headers["Connection"] = "close"


@dataclass(frozen=True, slots=True)
class Direct:
    """A function that answers calls without waiting; see `stowplan.serving.direct`."""

    answer: Callable[[Call], Answer]
    max_body_bytes: int = MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and where it listens. Port 0 picks a free one."""

    app: web.Application | Direct
    host: str
    port: int
    ssl_context: ssl.SSLContext | None = None


def make_app(max_body_bytes: int = MAX_BODY_BYTES) -> web.Application:
    """An empty application with the body limit."""
    return web.Application(client_max_size=max_body_bytes)


async def serve(
    listeners: Sequence[Listener],
    drain: Drain,
    *,
    drain_seconds: float = 5.0,
    grace_seconds: float = 10.0,
    listening: Callable[[list[int]], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Serve until ``drain`` begins, drain, stop.

    Args:
        listeners: started in this order, stopped in this order. Health comes last, to answer until the end.
        drain: begun by a signal (`Drain.on_signals`) or by the caller.
        drain_seconds: how long to go on answering with ``Connection: close``. Longer than it takes the
            endpoint to disappear everywhere (readiness period included).
        grace_seconds: bound for requests still in flight after that.
        listening: called once with the ports, in order, when all are open.
        sleep: waits the given seconds.

    Raises:
        OSError: an address cannot be bound; nothing is left open.
    """
    closing: list[Callable[[float], Awaitable[None]]] = []
    try:
        ports = []
        for listener in listeners:
            server = _server(listener.app, drain, grace_seconds)
            closing.append(server.close)
            ports.append(await server.open(listener.host, listener.port, BACKLOG, listener.ssl_context))
        if listening is not None:
            listening(ports)
        await drain.wait()
        await sleep(drain_seconds)
    finally:
        for close in closing:
            await close(grace_seconds)


def _server(app: web.Application | Direct, drain: Drain, grace_seconds: float) -> _AppServer | DirectServer:
    if isinstance(app, Direct):
        return DirectServer(
            app.answer,
            lambda: drain.draining,
            max_body_bytes=app.max_body_bytes,
            idle_seconds=KEEPALIVE_SECONDS,
        )
    drain.install(app)
    return _AppServer(_runner(app, grace_seconds))


class _AppServer:
    """An aiohttp application, opened and closed as a `DirectServer` is."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    async def open(self, host: str, port: int, backlog: int, ssl_context: ssl.SSLContext | None) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=ssl_context, backlog=backlog).start()
        bound: int = self._runner.addresses[-1][1]
        return bound

    async def close(self, _grace_seconds: float) -> None:
        await self._runner.cleanup()  # which has its own bound (`shutdown_timeout`)


def _runner(app: web.Application, grace_seconds: float) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,  # one structured line per decision is the service's own business
        auto_decompress=False,  # neither caller compresses, and a bomb is not to be unpacked
        handle_signals=False,
        handler_cancellation=False,  # a decision under way is finished even when the caller has given up
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=grace_seconds,
    )
