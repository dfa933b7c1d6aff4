"""One burst: pods are created, a scheduler places them, a watch sees each creation and each binding."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from perf.throughput.arms import Arm
from perf.throughput.processor_time import by_name, milliseconds, queued_milliseconds
from perf.throughput.stage import create_pods, extender_of, scheduler_of
from perf.throughput.workload import NAMESPACE, Manifest
from sandbox.control_plane import ControlPlane
from stowplan.kube.client import ApiClient
from stowplan.kube.codec import ObjectKey
from stowplan.kube.connection import Connection
from stowplan.kube.errors import NotFound, Unreachable
from stowplan.kube.paths import PODS
from stowplan.kube.reflector import Reflector, Selection

_SECONDS: Final = 240.0
"""After this long a burst counts as not placed."""
_STILL_SECONDS: Final = 8.0
"""Without a new binding: what is left fits nowhere."""
PLAN_SECONDS: Final = 3.0
"""For the planner to see the backlog and to plan it."""
START_SECONDS: Final = 3.0
"""For a scheduler to read the cluster, where pods come only afterwards."""
_REMOVED_AT_ONCE: Final = 32


class _Meta(msgspec.Struct):
    name: str


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""


class PodView(msgspec.Struct):
    """What is looked at of a pod."""

    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)


_POD: Final = msgspec.json.Decoder(PodView)


@dataclass(slots=True)
class Moments:
    """When each pod of a burst was seen first, and when with a node; monotonic seconds."""

    created: dict[str, float] = field(default_factory=dict)
    bound: dict[str, float] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)

    clock: Callable[[], float] = time.monotonic

    def replace(self, items: Sequence[PodView]) -> None:
        """These pods are there."""
        for item in items:
            self.upsert(item)

    def upsert(self, item: PodView) -> None:
        """An event of a pod."""
        name, node = item.metadata.name, item.spec.node_name
        self.created.setdefault(name, self.clock())
        if node and name not in self.bound:
            self.bound[name] = self.clock()
            self.nodes[name] = node

    def delete(self, key: ObjectKey) -> None:
        """What was seen of a pod stays."""


@dataclass(frozen=True, slots=True)
class Used:
    """Milliseconds by process."""

    cpu_ms: dict[str, int]
    queued_ms: dict[str, int]
    """Ready to run, but not running: what a busy machine adds to every step."""

    def since(self, before: Used) -> Used:
        """What came on top."""
        return Used(_less(self.cpu_ms, before.cpu_ms), _less(self.queued_ms, before.queued_ms))


@dataclass(frozen=True, slots=True)
class Burst:
    """What was seen of one arm in one round."""

    moments: Moments
    used: Used
    """Between the first creation (or the scheduler's start) and the last binding."""


async def run(plane: ControlPlane, arm: Arm, manifests: Sequence[Manifest], *, backlog: bool) -> Burst:
    """Let an arm place the pods.

    Args:
        plane: with nodes and residents.
        arm: how to schedule.
        manifests: the pods.
        backlog: whether all pods exist before the scheduler starts (its own pace is measured), or are created while it runs.
    """
    moments = Moments()
    async with ApiClient(Connection.resolve(str(plane.kubeconfig))) as api, watched(api, moments):
        used = await (_backlog if backlog else _burst)(plane, arm, api, manifests, moments)
    return Burst(moments, used)


@asynccontextmanager
async def watched(api: ApiClient, moments: Moments, namespace: str = NAMESPACE) -> AsyncIterator[None]:
    """What happens to the pods of the namespace is noted meanwhile."""
    # Not one bare watch: the API server ends those of a client that was slow for a moment.
    reflector = Reflector(api, PODS, _POD.decode, moments, selection=Selection(namespace=namespace))
    watching = asyncio.create_task(reflector.run())
    try:
        await reflector.wait_synced()
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def clean(plane: ControlPlane) -> None:
    """Remove the pods of the last burst, and wait until they are gone."""
    async with ApiClient(Connection.resolve(str(plane.kubeconfig))) as api:
        await remove_pods(api)


async def remove_pods(api: ApiClient, namespace: str = NAMESPACE) -> None:
    """Remove all pods of the namespace, and wait until they are gone."""
    while items := (await api.list(PODS.path(namespace)))[0]:
        # One by one, many at once: a collection is deleted one after the other, which takes longer than a call may.
        left = iter([item["metadata"]["name"] for item in items])
        await asyncio.gather(*(_remove(api, namespace, left) for _ in range(_REMOVED_AT_ONCE)))


async def _remove(api: ApiClient, namespace: str, names: Iterable[str]) -> None:
    for name in names:
        with suppress(NotFound, Unreachable):  # gone, or looked at again
            await api.delete(PODS.path(namespace, name), {"gracePeriodSeconds": 0})


async def _backlog(
    plane: ControlPlane, arm: Arm, api: ApiClient, manifests: Sequence[Manifest], moments: Moments
) -> Used:
    with extender_of(plane, arm) as url:
        await create_pods(api, NAMESPACE, manifests)
        await asyncio.sleep(PLAN_SECONDS)
        before = _used(plane)
        with scheduler_of(plane, arm, url):
            await placed(moments, len(manifests))
            return _used(plane).since(before)


async def _burst(
    plane: ControlPlane, arm: Arm, api: ApiClient, manifests: Sequence[Manifest], moments: Moments
) -> Used:
    with extender_of(plane, arm) as url, scheduler_of(plane, arm, url):
        await asyncio.sleep(START_SECONDS)
        before = _used(plane)
        await create_pods(api, NAMESPACE, manifests)
        await placed(moments, len(manifests))
        return _used(plane).since(before)


async def placed(moments: Moments, count: int) -> None:
    """Return when all pods have a node, when nothing moves any more, or when time is up."""
    deadline = time.monotonic() + _SECONDS
    while len(moments.bound) < count and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        last = max(moments.bound.values(), default=time.monotonic() if not moments.bound else 0.0)
        if moments.bound and time.monotonic() - last > _STILL_SECONDS:
            return


def _used(plane: ControlPlane) -> Used:
    pids = {name: process.pid for name, process in plane.processes.items()}
    return Used(by_name(pids, milliseconds), by_name(pids, queued_milliseconds))


def _less(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: ms - before.get(name, 0) for name, ms in after.items()}
