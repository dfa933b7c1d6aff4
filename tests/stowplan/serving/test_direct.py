"""The direct server over real sockets."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import pytest
import uvloop

from stowplan.serving import direct
from stowplan.serving.certificates import make_ca, make_leaf
from stowplan.serving.direct import MAX_HEAD_BYTES, Answer, Call, DirectServer, refusal
from stowplan.serving.tls import server_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MAX_BODY = 300_000


class Echo:
    """Answers with what it was asked, and remembers it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.draining = False

    def answer(self, call: Call) -> Answer:
        """As the path says."""
        self.calls.append(call)
        match call.target.partition("?")[0]:
            case "/broken":
                raise RuntimeError("for the test")
            case "/absent":
                return refusal(HTTPStatus.NOT_FOUND, "nothing here")
            case _:
                return Answer(call.body)


class Open:
    """A running server."""

    def __init__(self, echo: Echo, server: DirectServer, port: int) -> None:
        self.echo = echo
        self.server = server
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def raw(self, *pieces: bytes) -> bytes:
        """All that comes back for these pieces, sent one by one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@asynccontextmanager
async def serving(idle_seconds: float = 60.0, context: ssl.SSLContext | None = None) -> AsyncIterator[Open]:
    echo = Echo()
    server = DirectServer(echo.answer, lambda: echo.draining, max_body_bytes=MAX_BODY, idle_seconds=idle_seconds)
    port = await server.open("127.0.0.1", 0, 16, context)
    try:
        yield Open(echo, server, port)
    finally:
        await server.close(grace_seconds=0.5)


def request(body: bytes, target: str = "/filter", head: str = "") -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


async def test_many_calls_over_one_connection() -> None:
    async with serving() as running, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        for number in range(50):
            body = b"x" * (number * 1000)
            async with session.post(f"{running.url}/filter?a={number}", data=body) as answer:
                assert (answer.status, answer.content_type) == (200, "application/json")
                assert await answer.read() == body
                assert "Date" in answer.headers
        assert len(running.server.connections) == 1
    seventh = running.echo.calls[7]
    assert (seventh.method, seventh.target, seventh.body) == ("POST", "/filter?a=7", b"x" * 7000)


async def test_a_chunked_body() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"chunk"

    async with (
        serving() as running,
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/filter", data=pieces()) as answer,
    ):
        assert await answer.read() == b"chunk" * 100


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
async def test_however_the_bytes_are_cut_the_answers_are_the_same(size: int) -> None:
    sent = request(b"first") + request(b"") + request(b"z" * 500, head="Connection: close\r\n")

    async with serving() as running:
        answers = await running.raw(*(sent[at : at + size] for at in range(0, len(sent), size)))

    assert statuses(answers) == [200, 200, 200]
    assert [call.body for call in running.echo.calls] == [b"first", b"", b"z" * 500]
    assert answers.count(b"Connection: close") == 1


async def test_a_client_that_asks_first_whether_to_send() -> None:
    async with (
        serving() as running,
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/filter", data=b"x" * 5000, expect100=True) as answer,
    ):
        assert await answer.read() == b"x" * 5000


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
async def test_bodies_beyond_the_bound_are_refused(size: int, status: int) -> None:
    async with (
        serving() as running,
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/filter", data=b"x" * size) as answer,
    ):
        assert answer.status == status
    assert len(running.echo.calls) == (status == 200)


async def test_a_body_far_beyond_the_bound_is_not_kept_and_its_refusal_arrives() -> None:
    async with (
        serving() as running,
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/filter", data=BytesIO(b"x" * (50 * MAX_BODY))) as answer,
    ):
        assert answer.status == 413
        assert str(MAX_BODY) in await answer.text()


@pytest.mark.parametrize(
    "endless",
    [
        [b"POST /", *([b"a" * 50_000] * 8)],
        [b"POST / HTTP/1.1\r\n", *([b"A: " + b"b" * 20_000 + b"\r\n"] * 20)],
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", *([b"1\r\nx\r\n" * 5000] * 8)],
    ],
    ids=["target", "headers", "sizes of chunks"],
)
async def test_what_is_not_body_is_bounded_too(endless: list[bytes]) -> None:
    assert sum(map(len, endless)) > 3 * MAX_HEAD_BYTES
    async with serving() as running:
        assert statuses(await running.raw(*endless)) == [431]
    assert running.echo.calls == []


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",  # request smuggling
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_others_go_on(nonsense: bytes) -> None:
    async with serving() as running, aiohttp.ClientSession() as session:
        answers = await running.raw(nonsense)
        assert 400 in statuses(answers)
        async with session.post(f"{running.url}/filter", data=b"x") as answer:
            assert answer.status == 200


async def test_a_handler_that_fails_is_a_500_and_the_connection_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as running:
        answers = await running.raw(request(b"x", "/broken?secret"), request(b"x"))

    assert statuses(answers) == [500, 200]
    assert "POST /broken failed" in caplog.text
    assert "secret" not in caplog.messages[0]


async def test_the_answer_to_head_has_no_body() -> None:
    async with serving() as running, aiohttp.ClientSession() as session:
        async with session.head(f"{running.url}/absent") as answer:
            assert answer.status == 404
            assert answer.headers["Content-Length"] == str(len(b"nothing here"))
        async with session.post(f"{running.url}/filter", data=b"still in step") as answer:
            assert await answer.read() == b"still in step"


async def test_draining_answers_ask_for_the_connections_end() -> None:
    async with serving() as running, aiohttp.ClientSession() as session:
        running.echo.draining = True
        async with session.post(f"{running.url}/filter", data=b"x") as answer:
            assert answer.headers["Connection"] == "close"
            assert await answer.read() == b"x"


async def test_closing_waits_for_a_request_that_is_under_way() -> None:
    async with serving() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        sent = request(b"late")
        writer.write(sent[:-2])
        while not running.server.connections or not next(iter(running.server.connections)).receiving:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        closing = asyncio.create_task(running.server.close(grace_seconds=30))
        await asyncio.sleep(0.05)
        writer.write(sent[-2:])
        assert b"late" in await reader.read()
        await closing
        writer.close()


async def test_connections_that_idle_or_dawdle_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_TICK_SECONDS", 0.02)
    monkeypatch.setattr(direct, "REQUEST_SECONDS", 0.1)
    async with serving(idle_seconds=0.1) as running:
        idle, its_writer = await asyncio.open_connection("127.0.0.1", running.port)
        dawdling, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request(b"never complete")[:-1])
        async with asyncio.timeout(30):
            for reader in (idle, dawdling):
                with suppress(ConnectionResetError):  # an abort is seen as an end or as a reset
                    assert await reader.read() == b""
        its_writer.close()
        writer.close()
    assert running.echo.calls == []


async def test_a_client_that_reads_no_answers_is_not_served_without_end() -> None:
    async with serving() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
        for _ in range(200):
            writer.write(request(b"y" * MAX_BODY))
            await asyncio.sleep(0)
        await asyncio.sleep(0.3)
        served = len(running.echo.calls)
        assert served < 200  # some of the answers wait in buffers; the rest of the requests is not read
        received = b""
        while received.count(b"HTTP/1.1 200") < 200:
            received += (await reader.read(2**20)).replace(b"y" * 1000, b"")
        writer.close()
    assert len(running.echo.calls) == 200  # nothing is lost


async def test_a_call_says_when_its_first_byte_came() -> None:
    async with serving() as running:
        before = running.server.clock()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        sent = request(b"slow")
        writer.write(sent[:-2])
        while not running.server.connections or not next(iter(running.server.connections)).receiving:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        begun = running.server.clock()
        await asyncio.sleep(0.05)
        writer.write(sent[-2:])
        await reader.readuntil(b"slow")
        writer.close()
    since = running.echo.calls[0].since
    assert since is not None
    assert before <= since <= begun


async def _over_tls() -> None:
    now = datetime.now(UTC)
    ca = make_ca("stowplan", now)
    trusting = ssl.create_default_context(cadata=ca.certificate.decode())
    context = server_context(make_leaf(ca, ["127.0.0.1"], now))
    one = aiohttp.TCPConnector(limit=1, ssl=trusting)
    async with serving(context=context) as running, aiohttp.ClientSession(connector=one) as session:
        url = f"https://127.0.0.1:{running.port}/mutate"
        for size in (0, 10, 20_000, MAX_BODY):  # a TLS record holds 16 KiB
            async with session.post(url, data=b"x" * size) as answer:
                assert await answer.read() == b"x" * size
        assert len(running.server.connections) == 1
        async with session.post(url, data=b"x" * (MAX_BODY + 1)) as answer:
            assert answer.status == 413
        running.echo.draining = True
        async with session.post(url, data=b"last") as answer:
            assert answer.headers["Connection"] == "close"
            assert await answer.read() == b"last"
        async with asyncio.timeout(30):
            while running.server.connections:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_same_over_tls(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    # uvloop has a TLS implementation of its own, and is what the services run on.
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_over_tls())


async def _unread_over_tls() -> None:
    now = datetime.now(UTC)
    ca = make_ca("stowplan", now)
    trusting = ssl.create_default_context(cadata=ca.certificate.decode())
    async with serving(context=server_context(make_leaf(ca, ["127.0.0.1"], now))) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024, ssl=trusting)
        for _ in range(200):
            writer.write(request(b"y" * MAX_BODY))
            await asyncio.sleep(0)
        await asyncio.sleep(0.3)
        assert len(running.echo.calls) < 200  # as without TLS: the rest of the requests is not read
        received = b""
        while received.count(b"HTTP/1.1 200") < 200:
            received += (await reader.read(2**20)).replace(b"y" * 1000, b"")
        writer.close()
    assert len(running.echo.calls) == 200


def test_a_client_that_reads_no_answers_over_tls_waits_too() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_unread_over_tls())
