"""What is written and read, as it goes over the wire (golden), and what the answers mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from extender.gating.lease import GateLease
from extender.gating.writing import GateWriter, PodRef
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import Forbidden
from tests.support.extender import pod
from tests.support.fake_api import status_response

GOLDEN = Path(__file__).parents[2] / "golden" / "extender" / "gates.json"
A = PodRef.of(pod("a"))


class Server:
    """Records requests; answers what it is told to, else pages of pods and empty objects."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        body = await request.read()
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "query": dict(request.query),
                "content_type": request.headers.get("Content-Type", ""),
                "body": json.loads(body) if body else None,
            }
        )
        if self.status != 200:
            return status_response(self.status, "")
        if request.method == "PATCH":
            return web.json_response({})
        gates = [{"name": "other"}, {"name": "stowplan.dev/plan"}]
        first = [raw("a", gates), raw("b", [{"name": "other"}]), raw("c", None)]
        if request.query.get("continue"):
            return web.json_response({"metadata": {}, "items": [raw("d", gates)]})
        return web.json_response({"metadata": {"continue": "more"}, "items": first})


def raw(name: str, gates: list[dict[str, str]] | None) -> dict[str, Any]:
    """A pod of the API."""
    metadata = {"name": f"pod-{name}", "namespace": "shop", "uid": name}
    return {"metadata": metadata, "spec": {} if gates is None else {"schedulingGates": gates}}


@pytest.fixture
async def wire() -> AsyncIterator[tuple[Server, ApiClient]]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as running, ApiClient(Connection(str(running.make_url("")).rstrip("/"))) as api:
        yield server, api


async def test_the_requests_are_the_recorded_ones(wire: tuple[Server, ApiClient]) -> None:
    server, api = wire
    lease = GateLease(api, "here_7", lambda: datetime(2026, 11, 25, 21, 30, 0, 250_000, UTC))

    assert await GateWriter(api).release(A)
    await lease.renew()
    await lease.give_up()
    found = await GateWriter(api).found()

    assert server.requests == json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert found == [A, PodRef("d", "shop", "pod-d")]


@pytest.mark.parametrize("status", [404, 409])
async def test_a_pod_that_is_gone_needs_nothing(wire: tuple[Server, ApiClient], status: int) -> None:
    server, api = wire
    server.status = status

    assert not await GateWriter(api).release(A)


async def test_a_refusal_is_an_error(wire: tuple[Server, ApiClient]) -> None:
    server, api = wire
    server.status = 403

    with pytest.raises(Forbidden):
        await GateWriter(api).release(A)
