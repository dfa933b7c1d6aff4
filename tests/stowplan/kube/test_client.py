"""The client against small real servers."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from stowplan.kube.client import ApiClient
from stowplan.kube.codec import LineSplitter
from stowplan.kube.connection import Connection, TokenProvider
from stowplan.kube.errors import BrokenStream, Conflict, Forbidden, Gone, NotFound, TooManyRequests, Unreachable
from stowplan.kube.paths import CONFIG_MAPS, PODS
from tests.support.fake_api import FakeApi, pod, serving_api, status_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable


@asynccontextmanager
async def calling(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], token: TokenProvider | None = None
) -> AsyncIterator[ApiClient]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with (
        TestServer(app) as server,
        ApiClient(Connection(f"http://127.0.0.1:{server.port}/prefix", token=token)) as api,
    ):
        yield api


async def sizes_of(watch: AsyncGenerator[bytes, None]) -> list[int]:
    async with aclosing(watch) as lines:
        return [len(line) async for line in lines]


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    said = {
        "method": request.method,
        "path": request.raw_path,
        "type": request.headers.get("Content-Type"),
        "body": json.loads(body) if body else None,
    }
    return web.json_response(said)


async def test_verbs_content_types_and_parameters() -> None:
    path = CONFIG_MAPS.path("shop", "a")
    async with calling(echo) as api:
        got = await api.get(path, labelSelector="a in (b, c)", watch=False, limit=5, absent=None)
        created = await api.create(CONFIG_MAPS.path("shop"), {"x": 1}, dryRun="All")
        replaced = await api.replace(path, {"x": 2})
        merged = await api.patch(path, {"x": None})
        jsonned = await api.patch(path, [], "json-patch")
        applied = await api.apply(path, {"x": 3}, "stowplan", force=True)
        deleted = await api.delete(path, {"preconditions": {"uid": "u"}})

    assert got["path"] in {
        "/prefix/api/v1/namespaces/shop/configmaps/a?labelSelector=a+in+(b,+c)&watch=false&limit=5",
        "/prefix/api/v1/namespaces/shop/configmaps/a?labelSelector=a+in+(b,%20c)&watch=false&limit=5",
    }
    assert (created["method"], created["body"]) == ("POST", {"x": 1})
    assert created["path"].endswith("/configmaps?dryRun=All")
    assert (replaced["method"], replaced["type"]) == ("PUT", "application/json")
    assert (merged["method"], merged["type"]) == ("PATCH", "application/merge-patch+json")
    assert jsonned["type"] == "application/json-patch+json"
    assert applied["type"] == "application/apply-patch+yaml"
    assert applied["path"].endswith("?fieldManager=stowplan&force=true")
    assert (deleted["method"], deleted["body"]) == ("DELETE", {"preconditions": {"uid": "u"}})


@pytest.mark.parametrize(("code", "kind"), [(403, Forbidden), (404, NotFound), (409, Conflict), (410, Gone)])
async def test_failures_are_errors_of_their_own(code: int, kind: type[Exception]) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return status_response(code, "Because")

    async with calling(refuse) as api:
        with pytest.raises(kind, match="Because"):
            await api.get(PODS.path())


async def test_too_many_requests_says_when_to_come_back() -> None:
    async def busy(_: web.Request) -> web.Response:
        return status_response(429, "TooManyRequests", {"Retry-After": "12"})

    async with calling(busy) as api:
        with pytest.raises(TooManyRequests) as caught:
            await api.create(PODS.path("a"), {})
    assert caught.value.retry_after == 12.0


async def test_a_redirect_is_not_followed_with_our_credentials() -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/")

    async with calling(elsewhere) as api:
        with pytest.raises(Exception, match="302"):
            await api.get(PODS.path())


async def test_no_server_is_unreachable_with_the_transports_error_as_cause() -> None:
    async with ApiClient(Connection(f"http://127.0.0.1:{unused_port()}")) as api:
        with pytest.raises(Unreachable) as caught:
            await api.get(PODS.path())
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_server_that_does_not_answer_is_unreachable() -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with calling(hang_up) as api:
        with pytest.raises(Unreachable):
            await api.get(PODS.path())


async def test_lists_are_collected_page_by_page() -> None:
    fake = FakeApi()
    for name in "abcde":
        fake.put(pod(name))
    async with serving_api(fake) as api:
        items, version = await api.list(PODS.path(), limit=2)

    assert [item["metadata"]["name"] for item in items] == list("abcde")
    assert version == "105"
    assert len(fake.lists()) == 3


async def test_an_expired_token_is_renewed_once() -> None:
    tokens = iter(["old", "new"])
    seen: list[str] = []

    async def check(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        if seen[-1] != "Bearer new":
            return status_response(401, "Unauthorized")
        return web.json_response({"fine": True})

    async with calling(check, lambda: next(tokens)) as api:
        assert await api.get(PODS.path()) == {"fine": True}
        assert await api.get(PODS.path()) == {"fine": True}
    assert seen == ["Bearer old", "Bearer new", "Bearer new"]


async def test_watch_lines_of_any_size_and_the_bound() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'"' + b"x" * 2_000_000 + b'"\n"short"\n')
        return response

    async with calling(stream) as api:
        assert await sizes_of(api.watch(PODS.path(), "1")) == [2_000_002, 7]
        with pytest.raises(BrokenStream):
            await sizes_of(api.watch(PODS.path(), "1", max_line_bytes=1000))


async def test_a_paced_watch_takes_together_what_came_meanwhile_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = asyncio.Event()
    fed: list[int] = []
    feed = LineSplitter.feed

    def counting(splitter: LineSplitter, chunk: bytes) -> Iterable[bytes]:
        lines = list(feed(splitter, chunk))
        fed.append(len(lines))
        return lines

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"0\n")
        await begun.wait()
        for number in range(1, 200):
            await response.write(b"%d\n" % number)
            await asyncio.sleep(0)
        return response

    monkeypatch.setattr(LineSplitter, "feed", counting)
    async with calling(stream) as api:
        lines = []
        async with aclosing(api.watch(PODS.path(), "1", pace_seconds=0.2)) as watch:
            async for line in watch:
                begun.set()
                lines.append(line)
    assert lines == [b"%d" % number for number in range(200)]
    assert len(fed) < 20  # the first, and then what came in each fifth of a second: not 200 of one line


async def test_a_silent_watch_is_presumed_dead() -> None:
    fake = FakeApi()
    async with serving_api(fake) as api:
        with pytest.raises(Unreachable):
            await sizes_of(api.watch(PODS.path(), "100", idle_seconds=0.05))
