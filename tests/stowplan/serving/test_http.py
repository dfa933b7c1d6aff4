"""Serving and draining over real sockets."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from stowplan.serving.http import KEEPALIVE_SECONDS, Drain, Listener, make_app, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def named(name: str) -> web.Application:
    """An application that says which replica answers."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=name)

    app = make_app()
    app.router.add_post("/", answer)
    return app


class Replica:
    """A running server."""

    def __init__(self, name: str) -> None:
        self.drain = Drain()
        self.name = name
        self.port = 0
        self._task: asyncio.Task[None]

    async def start(self, drain_seconds: float) -> None:
        """Return when it listens."""
        listening: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        listener = Listener(named(self.name), "127.0.0.1", 0)
        self._task = asyncio.create_task(
            serve([listener], self.drain, drain_seconds=drain_seconds, listening=listening.set_result)
        )
        (self.port,) = await listening

    async def stop(self) -> None:
        """Drain and wait for the end."""
        self.drain.begin()
        await self._task


class Service(AbstractResolver):
    """Like a Service's virtual IP: new connections go to the current endpoint, open ones stay where they are."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The endpoint of now."""
        del port
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.port, family=family, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def replicas(drain_seconds: float) -> AsyncIterator[tuple[Replica, Replica]]:
    first, second = Replica("first"), Replica("second")
    await first.start(drain_seconds)
    await second.start(0.0)
    try:
        yield first, second
    finally:
        await first.stop()
        await second.stop()


async def call_until(service: Service, stop: asyncio.Event, answers: list[str], failures: list[Exception]) -> None:
    """One persistent client, as the API server is one: keep-alive, POST, never repeats."""
    connector = aiohttp.TCPConnector(resolver=service, use_dns_cache=False, limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        while not stop.is_set():
            try:
                async with session.post("http://service.test/", data=b"x" * 2000) as response:
                    answers.append(await response.text())
            except (aiohttp.ClientError, OSError) as error:
                failures.append(error)


@pytest.mark.slow
async def test_32_persistent_clients_move_to_another_replica_without_a_failed_call() -> None:
    async with replicas(drain_seconds=3.0) as (first, second):
        service, stop = Service(first.port), asyncio.Event()
        answers: list[str] = []
        failures: list[Exception] = []
        clients = [asyncio.create_task(call_until(service, stop, answers, failures)) for _ in range(32)]
        while len(answers) < 200:  # noqa: ASYNC110 - the clients are kept simple
            await asyncio.sleep(0.01)
        assert set(answers) == {"first"}

        service.port = second.port  # the endpoint is removed
        await first.stop()
        moved = len(answers)
        while len(answers) < moved + 100:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*clients)

    assert failures == []
    assert set(answers[moved + 32 :]) == {"second"}


async def test_only_draining_responses_ask_for_the_connections_end() -> None:
    async with replicas(drain_seconds=3.0) as (first, _), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{first.port}/"
        async with session.post(url) as before:
            assert before.headers.get("Connection") is None
        first.drain.begin()
        async with session.post(url) as during:
            assert during.status == 200
            assert during.headers["Connection"] == "close"
        async with session.post(url + "absent") as missing:
            assert missing.status == 404
            assert missing.headers["Connection"] == "close"


async def test_a_request_in_flight_is_finished() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        entered.set()
        await release.wait()
        return web.Response(text="done")

    app = make_app()
    app.router.add_get("/", slow)
    drain, ports = Drain(), asyncio.get_running_loop().create_future()
    listener = Listener(app, "127.0.0.1", 0)
    server = asyncio.create_task(serve([listener], drain, drain_seconds=0.0, listening=ports.set_result))
    (port,) = await ports
    async with aiohttp.ClientSession() as session:
        call = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/"))
        await entered.wait()
        drain.begin()
        await asyncio.sleep(0.05)
        release.set()
        async with await call as response:
            assert await response.text() == "done"
    await server


@pytest.mark.parametrize(("size", "status"), [(8 * 1024 * 1024, 200), (8 * 1024 * 1024 + 1, 413)])
async def test_bodies_beyond_the_limit_are_refused(size: int, status: int) -> None:
    async with (
        replicas(drain_seconds=0.0) as (first, _),
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{first.port}/", data=io.BytesIO(b"x" * size)) as response,
    ):
        assert response.status == status


async def test_a_signal_begins_the_drain() -> None:
    drain = Drain()
    drain.on_signals(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    async with asyncio.timeout(60):
        await drain.wait()
    assert drain.draining
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


async def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    async with replicas(drain_seconds=0.0) as (first, _):
        free = Listener(named("x"), "127.0.0.1", 0)
        taken = Listener(named("y"), "127.0.0.1", first.port)
        with pytest.raises(OSError, match="in use"):
            await serve([free, taken], Drain())


def test_we_keep_connections_longer_than_the_api_server() -> None:
    assert KEEPALIVE_SECONDS > 90  # IdleConnTimeout of its webhook clients
