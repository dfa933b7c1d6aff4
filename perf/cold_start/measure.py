"""The extender's start beside a filled API server, next to a client that only reads the same lists."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import msgspec

from perf.admission.load import Load, run_apart
from perf.cold_start import filling
from perf.cold_start.memory import resident_mib
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.nodes import create_nodes
from sandbox.probe import healthy, wait_until
from sandbox.processes import Process
from stowplan.kube.client import PAGE, ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import NotFound
from stowplan.kube.paths import NODES, PODS
from stowplan.model.keys import SCHEDULER_NAME

Progress = Callable[[str, int, int], None]

EXTENDER: Final = "extender"
_GENERATION: Final = "stowplan_plan_generation"
_ROOT: Final = Path(__file__).resolve().parents[2]
_SYNC_SECONDS: Final = 300.0
_CHURN_SECONDS: Final = 0.1
"""Between two new pods while requests are measured: the planner has something to solve all the time."""


class _Page(msgspec.Struct):
    """What paging needs; the objects are not decoded."""

    metadata: dict[str, Any]


def measure(nodes: int, pods: int, seconds: float, scratch: Path, progress: Progress) -> dict[str, Any]:
    """Time to be synced, memory and request latency, with the planner and without.

    Args:
        nodes: how many, of five types.
        pods: on these nodes already.
        seconds: of requests.
        scratch: for state.
        progress: takes a sentence, how much is done, and of how much.
    """
    settings = SandboxSettings(state_dir=scratch / "cluster", name="cold-start", scheduler=False, kwok=False)
    with ControlPlane(settings) as plane:
        manifests = filling.nodes(nodes)
        names = create_nodes(plane, manifests)
        plane.kubectl("create", "namespace", filling.NAMESPACE)
        plane.wait_for_namespace(filling.NAMESPACE)
        asyncio.run(_fill(plane, names, pods, progress))
        read = asyncio.run(_read_all(plane))
        found: dict[str, Any] = {"nodes": nodes, "pods": pods, "read_seconds": round(read, 2), "arms": {}}
        for arm, flags in (("stowplan", ()), ("without planner", ("--planner=false",))):
            progress(f"the extender, {arm}", 0, 0)
            # The planner is told behind requests' backs, at the lowest priority: what it takes shows once a plan is of everything.
            known = 0 if flags else nodes + pods
            found["arms"][arm] = _arm(plane, names, flags, seconds, scratch, known)
        synced = found["arms"]["stowplan"]["synced_seconds"]
        found["synced_over_reading"] = round(synced / read, 3)
        with_planner, without = (found["arms"][name]["filter"] for name in ("stowplan", "without planner"))
        found["p99_over_no_planner"] = round(with_planner["p99_us"] / without["p99_us"], 3)
        return found


async def _fill(plane: ControlPlane, names: list[str], pods: int, progress: Progress) -> None:
    async with ApiClient(Connection.from_kubeconfig(plane.kubeconfig)) as api:
        manifests = [filling.pod(number, names[number % len(names)]) for number in range(pods)]
        await filling.create(api, manifests, progress)


async def _read_all(plane: ControlPlane) -> float:
    """Seconds to read all pods and nodes, page by page as the extender does, without decoding an object."""
    decoder = msgspec.json.Decoder(_Page)
    started = time.perf_counter()
    async with ApiClient(Connection.from_kubeconfig(plane.kubeconfig)) as api:
        for path in (PODS.path(), NODES.path()):
            token: str | None = None
            while True:
                page = decoder.decode(await api.get_bytes(path, limit=PAGE, **{"continue": token}))
                token = page.metadata.get("continue")
                if not token:
                    break
    return time.perf_counter() - started


def _arm(
    plane: ControlPlane, names: list[str], flags: tuple[str, ...], seconds: float, scratch: Path, known: int
) -> dict[str, Any]:
    """One extender: start, sync, a plan of at least `known` events, requests, end."""
    port, metrics = plane.port(EXTENDER), plane.port(f"{EXTENDER}-metrics")
    # Without the supervisor, which replaces a server that a busy machine has kept waiting: that would be another measurement.
    argv: list[str | Path] = [sys.executable, "-m", "extender", "--supervise=false"]
    argv += [f"--kubeconfig={plane.kubeconfig}", f"--port={port}"]
    started = time.perf_counter()
    process = plane.start_process(EXTENDER, [*argv, f"--metrics-port={metrics}", *flags], {"PYTHONPATH": str(_ROOT)})
    try:
        _wait_synced(process, metrics)
        synced = time.perf_counter() - started
        wait_until(
            "a plan of everything", partial(_planned, metrics, known), process=process, timeout_seconds=_SYNC_SECONDS
        )
        planned = time.perf_counter() - started
        at_start = resident_mib(process.pid)
        load = asyncio.run(_requests(plane, f"http://127.0.0.1:{port}/filter", names, seconds, scratch))
        return {
            "synced_seconds": round(synced, 2),
            "planned_seconds": round(planned, 2),
            "memory_mib": {
                name: max(value, at_start.get(name, 0)) for name, value in resident_mib(process.pid).items()
            },
            "filter": {"per_second": load.per_second, "p50_us": load.p50_us, "p99_us": load.p99_us},
        }
    finally:
        plane.stop_component(EXTENDER)


def _wait_synced(process: Process, metrics: int) -> None:
    """Wait until the extender says that it knows the cluster."""
    ready = partial(healthy, f"http://127.0.0.1:{metrics}/readyz", ssl.create_default_context())
    wait_until("the extender is synced", ready, process=process, timeout_seconds=_SYNC_SECONDS)


def _planned(metrics: int, known: int) -> bool:
    """Whether the newest plan was made from so many events."""
    if not known:
        return True
    with urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return any(float(line.split()[1]) >= known for line in lines if line.startswith(f"{_GENERATION} "))


async def _requests(plane: ControlPlane, url: str, names: list[str], seconds: float, scratch: Path) -> Load:
    """Filter calls with all names, one after the other, while pods come that wait for our scheduler, and others go."""
    body = json.dumps({"Pod": _asking(), "Nodes": None, "NodeNames": names}).encode()
    async with ApiClient(Connection.from_kubeconfig(plane.kubeconfig)) as api:
        coming = asyncio.create_task(_churn(api))
        try:
            drive = partial(run_apart, url, plane.ca_file, body, scratch, connections=1, seconds=seconds)
            return await asyncio.to_thread(drive)
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
            await api.delete(PODS.path(filling.NAMESPACE), {"gracePeriodSeconds": 0}, fieldSelector="spec.nodeName=")


async def _churn(api: ApiClient) -> None:
    """New waiting pods, until cancelled; for each one that stands is deleted, so that the planner learns lifetimes as it goes."""
    number = 0
    while True:
        waiting = filling.pod(number)
        waiting["metadata"]["name"] = f"waiting-{number}"
        await api.create(PODS.path(filling.NAMESPACE), waiting)
        with suppress(NotFound):  # gone since the arm before
            await api.delete(PODS.path(filling.NAMESPACE, filling.name(number)), {"gracePeriodSeconds": 0})
        number += 1
        await asyncio.sleep(_CHURN_SECONDS)


def _asking() -> dict[str, Any]:
    """The pod that the calls ask for: known to nobody else, so that no reservation of an earlier call stands in its way."""
    pod = filling.pod(0)
    pod["metadata"] |= {"name": "asking", "namespace": filling.NAMESPACE, "uid": "asking"}
    pod["spec"]["schedulerName"] = SCHEDULER_NAME
    return pod
