"""The API client and the reflector against a real API server: all verbs, pagination, a restart under a watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from sandbox.control_plane import ControlPlane
from stowplan.kube.client import ApiClient
from stowplan.kube.codec import ObjectKey, identify
from stowplan.kube.connection import Connection
from stowplan.kube.errors import Conflict, Invalid, NotFound
from stowplan.kube.paths import CONFIG_MAPS, PODS
from stowplan.kube.reflector import Reflector, Selection


class Versions:
    """A handler that keeps the resource version of each object by name."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.replaced = 0

    def replace(self, items: Sequence[tuple[ObjectKey, str]]) -> None:
        """Everything anew."""
        self.held = {key.name: version for key, version in items}
        self.replaced += 1

    def upsert(self, item: tuple[ObjectKey, str]) -> None:
        """Keep one."""
        self.held[item[0].name] = item[1]

    def delete(self, key: ObjectKey) -> None:
        """Forget one."""
        self.held.pop(key.name, None)


def keep(raw: msgspec.Raw) -> tuple[ObjectKey, str] | None:
    return identify(raw)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "fake"}]}}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(180):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reflecting(
    api: ApiClient, namespace: str
) -> AsyncIterator[tuple[Reflector[tuple[ObjectKey, str]], Versions]]:
    """A running reflector of a namespace's pods, three to a page, and its store."""
    store = Versions()
    reflector = Reflector(api, PODS, keep, store, selection=Selection(namespace), page=3)
    task = asyncio.create_task(reflector.run())
    try:
        yield reflector, store
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_every_verb(control_plane: ControlPlane, namespace: str) -> None:
    collection, one = CONFIG_MAPS.path(namespace), CONFIG_MAPS.path(namespace, "a")
    async with ApiClient(Connection.resolve(str(control_plane.kubeconfig))) as api:
        created = await api.create(collection, config_map("a", x="1"))
        with pytest.raises(Conflict) as twice:
            await api.create(collection, config_map("a"))
        assert twice.value.reason == "AlreadyExists"
        merged = await api.patch(one, {"data": {"y": "2"}})
        jsonned = await api.patch(one, [{"op": "remove", "path": "/data/x"}], "json-patch")
        with pytest.raises(Conflict):
            await api.replace(one, created)  # its resourceVersion is stale by now
        applied = await api.apply(one, config_map("a", z="3"), "stowplan-test", force=True)
        await api.delete(one)
        with pytest.raises(NotFound):
            await api.get(one)
        with pytest.raises(Invalid):
            await api.create(collection, config_map("Not A Name"))

    assert merged["data"] == {"x": "1", "y": "2"}
    assert jsonned["data"] == {"y": "2"}
    assert applied["data"] == {"y": "2", "z": "3"}


async def test_lists_in_pages(control_plane: ControlPlane, namespace: str) -> None:
    async with ApiClient(Connection.from_kubeconfig(control_plane.kubeconfig)) as api:
        for number in range(5):
            await api.create(PODS.path(namespace), pod(f"p{number}"))
        items, version = await api.list(PODS.path(namespace), limit=2)

    assert [item["metadata"]["name"] for item in items] == ["p0", "p1", "p2", "p3", "p4"]
    assert int(version) > 0


async def test_the_reflector_recovers_from_a_restart_of_the_api_server(
    control_plane: ControlPlane, namespace: str
) -> None:
    connection = Connection.from_kubeconfig(control_plane.kubeconfig)
    async with ApiClient(connection) as api:
        for number in range(7):
            await api.create(PODS.path(namespace), pod(f"p{number}"))
        async with reflecting(api, namespace) as (reflector, store):
            await reflector.wait_synced()
            assert set(store.held) == {f"p{number}" for number in range(7)}

            await asyncio.to_thread(control_plane.stop_component, "kube-apiserver")
            assert len(store.held) == 7  # what is known stays known
            await asyncio.to_thread(control_plane.start_component, "kube-apiserver")
            async with ApiClient(connection) as another:
                await another.delete(PODS.path(namespace, "p0"), gracePeriodSeconds=0)
                await another.create(PODS.path(namespace), pod("late"))
                await until(lambda: "late" in store.held and "p0" not in store.held)
                items, _ = await another.list(PODS.path(namespace))
                truth = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}
                await until(lambda: store.held == truth)
            assert reflector.lag_seconds < 90
