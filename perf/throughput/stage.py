"""The control plane that all arms share, and the scheduler (and extender) of one arm on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from extender.scheduler_config import scheduler_configuration
from perf.extender_command import command
from perf.throughput.arms import Arm
from perf.throughput.workload import NAMESPACE, RESIDENTS, Cluster, Manifest
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.manifests import render
from sandbox.nodes import create_nodes, wait_ready
from sandbox.probe import healthy, wait_until
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.paths import PODS
from stowplan.model.keys import SYSTEM_NAMESPACE

SCHEDULER: Final = "scheduler"
EXTENDER: Final = "extender"
_ROOT: Final = Path(__file__).resolve().parents[2]
_PARALLEL: Final = 32
"""Calls in flight while pods are created."""
_NODES_SECONDS: Final = 300.0


@contextmanager
def stage(state_dir: Path, cluster: Cluster) -> Iterator[ControlPlane]:
    """A control plane without a scheduler, with these nodes and their residents; stopped after the block."""
    settings = SandboxSettings(state_dir, name="throughput", scheduler=False)
    with ControlPlane(settings) as running:
        running.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(render(running, "crds")))
        for namespace in (NAMESPACE, RESIDENTS, SYSTEM_NAMESPACE):
            running.kubectl("create", "namespace", namespace)
            running.wait_for_namespace(namespace)
        names = create_nodes(running, cluster.nodes)
        wait_ready(running, names, timeout_seconds=_NODES_SECONDS)
        asyncio.run(_create_residents(running, cluster.residents))
        yield running


@contextmanager
def extender_of(plane: ControlPlane, arm: Arm) -> Iterator[str]:
    """The extender of an arm, synced; its URL, empty where the arm has none."""
    if not arm.has_extender:
        yield ""
        return
    port, metrics = plane.port(EXTENDER), plane.port(f"{EXTENDER}-metrics")
    argv = command(plane.kubeconfig, (port, metrics), arm.channel, flags=arm.flags, trivial=arm.trivial)
    process = plane.start_process(EXTENDER, argv, {"PYTHONPATH": str(_ROOT)})
    context = plane.pki.ssl_context()
    try:
        ready = partial(healthy, f"http://127.0.0.1:{metrics}/readyz", context)
        wait_until("the extender is ready", ready, process=process)
        yield f"http://127.0.0.1:{port}"
    finally:
        plane.stop_component(EXTENDER)


@contextmanager
def scheduler_of(plane: ControlPlane, arm: Arm, extender_url: str) -> Iterator[None]:
    """A stock kube-scheduler configured as the arm says; it has begun to schedule when its health check answers, or soon after."""
    document = scheduler_configuration(
        extender_url=extender_url or "http://127.0.0.1:1",
        channel=arm.channel,
        kubeconfig=str(plane.kubeconfig_for("system:kube-scheduler")),
        percentage_of_nodes_to_score=arm.percentage,
        leader_elect=False,
        client_qps=5000,  # what is measured must not be a limit that we set
    )
    config = plane.state_dir / "throughput-scheduler.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    port = plane.port(SCHEDULER)
    argv: Sequence[str | Path] = [
        plane.bin("kube-scheduler"),
        f"--config={config}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={plane.state_dir / 'throughput-scheduler'}",
    ]
    plane.start_process(SCHEDULER, argv)
    try:
        yield
    finally:
        plane.stop_component(SCHEDULER)


async def create_pods(api: ApiClient, namespace: str, manifests: Sequence[Manifest]) -> None:
    """Create the pods in order, as fast as the API server takes them."""
    path = PODS.path(namespace)
    waiting = iter(manifests)

    async def work() -> None:
        for manifest in waiting:
            await api.create(path, manifest)

    await asyncio.gather(*(work() for _ in range(_PARALLEL)))


async def _create_residents(plane: ControlPlane, residents: Sequence[Manifest]) -> None:
    async with ApiClient(Connection.resolve(str(plane.kubeconfig))) as api:
        await create_pods(api, RESIDENTS, residents)
