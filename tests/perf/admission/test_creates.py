"""Dry-run creates against an API server that answers from memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from perf.admission.creates import IN_FLIGHT, creates, is_sized, make_namespace
from stowplan.kube.errors import Conflict


class FakeApi:
    """Remembers what is created; sizes pods of one namespace."""

    def __init__(self, sized: str = "shop") -> None:
        self.sized = sized
        self.created: list[tuple[str, Any, dict[str, Any]]] = []
        self.in_flight = self.most_in_flight = 0
        self.accounts: Iterator[list[Any]] = iter([[], [{}]])

    async def create(self, path: str, body: Any, **params: Any) -> Any:
        """As `ApiClient.create`."""
        if any(known == (path, body["metadata"]["name"]) for known in self._namespaces()):
            raise Conflict(409, "AlreadyExists", "it is there already")
        self.created.append((path, body, params))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if f"/{self.sized}/" in path:
            body = {"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}}
        return body

    async def get(self, _path: str) -> Any:
        """The service accounts: none at first."""
        return {"items": next(self.accounts)}

    def _namespaces(self) -> list[tuple[str, str]]:
        return [(path, body["metadata"]["name"]) for path, body, _ in self.created if path.endswith("/namespaces")]


async def test_every_create_is_a_dry_run_and_only_so_many_are_in_flight() -> None:
    api = FakeApi()
    found = await creates(api, "shop", 100)  # type: ignore[arg-type]  # a fake of the two calls that are made
    assert found.requests == 100
    assert all(params == {"dryRun": "All"} for _, _, params in api.created)
    assert len({body["metadata"]["name"] for _, body, _ in api.created}) == 100
    assert api.most_in_flight == IN_FLIGHT


async def test_a_namespace_is_made_once_and_its_account_waited_for() -> None:
    api = FakeApi()
    for _ in range(2):
        await make_namespace(api, "shop", opted_in=True)  # type: ignore[arg-type]  # as above
    ((path, body, _),) = api.created
    assert path == "/api/v1/namespaces"
    assert body["metadata"]["labels"] == {"stowplan.dev/inject": "enabled"}


async def test_whether_the_webhook_answers_shows_in_the_requests() -> None:
    api = FakeApi()
    assert await is_sized(api, "shop")  # type: ignore[arg-type]  # as above
    assert not await is_sized(api, "plain")  # type: ignore[arg-type]  # as above
