"""The extender and stock kube-schedulers as processes on a real control plane, and what tests ask of them."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extender.scheduler_config import Channel, scheduler_configuration
from sandbox.control_plane import ControlPlane
from sandbox.processes import Process

Kubectl = Callable[..., Any]
WAIT_SECONDS = 180.0
"""For what comes within seconds on an idle machine."""
PATIENT = "60s"
"""Time that a scheduler gives the extender: a call that is too late, as on a machine that stalls, would rightly be passed over."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(holds: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """What `holds` returns once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def get(url: str) -> tuple[int, Any]:
    """Status and JSON (or text) of a GET; status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own http URLs
            body = answer.read().decode()
            status = answer.status
    except urllib.error.HTTPError as error:
        body, status = error.read().decode(), error.code
    except OSError:
        return 0, None
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body


@dataclass
class Running:
    """An extender process and where it answers."""

    process: Process
    url: str
    health: str


@contextlib.contextmanager
def scheduler(
    control_plane: ControlPlane,
    url: str,
    channel: Channel,
    folder: Path,
    http_timeout: str = "200ms",
    lease_namespace: str = "",
) -> Iterator[Process]:
    """A second stock kube-scheduler, configured as we ship it, with leader election where a namespace for the Lease is given."""
    config = folder / f"scheduler-{uuid.uuid4().hex[:6]}.yaml"
    # system:kube-scheduler may hold a Lease of its own name only.
    kubeconfig = str(
        control_plane.kubeconfig if lease_namespace else control_plane.kubeconfig_for("system:kube-scheduler")
    )
    body = scheduler_configuration(
        extender_url=url,
        channel=channel,
        kubeconfig=kubeconfig,
        leader_elect=bool(lease_namespace),
        lease_namespace=lease_namespace or "default",
        http_timeout=http_timeout,
    )
    config.write_text(json.dumps(body))
    argv: list[str | Path] = [control_plane.bin("kube-scheduler"), f"--config={config}", f"--secure-port={free_port()}"]
    argv += ["--bind-address=127.0.0.1", f"--cert-dir={folder}"]
    process = control_plane.start_process(f"stowplan-scheduler-{uuid.uuid4().hex[:6]}", argv)
    try:
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def extender(
    control_plane: ControlPlane, channel: Channel, *flags: str, kubeconfig: Path | None = None
) -> Iterator[Running]:
    """`python -m extender` with its supervisor, synced."""
    config = kubeconfig or control_plane.kubeconfig
    port, metrics = free_port(), free_port()
    argv = [sys.executable, "-m", "extender", f"--kubeconfig={config}", f"--port={port}"]
    argv += [f"--metrics-port={metrics}", f"--channel={channel}", *flags]
    process = control_plane.start_process(f"extender-{uuid.uuid4().hex[:6]}", argv)
    running = Running(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}")
    try:
        eventually(lambda: get(f"{running.health}/readyz")[0] == 200, "the extender is ready")
        yield running
    finally:
        process.stop(grace_seconds=10)


def pod(name: str, cpu: str = "500m", **spec: Any) -> dict[str, Any]:
    """A pod for our scheduler."""
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": "512Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"schedulerName": "stowplan-scheduler", "containers": [container], **spec},
    }


def scheduled(kubectl: Kubectl, namespace: str, count: int, seconds: float = WAIT_SECONDS) -> dict[str, str]:
    """Pod -> node, once `count` pods of the namespace have one."""

    def bound() -> dict[str, str] | None:
        items = kubectl("get", "pods", "-n", namespace)["items"]
        placed = {p["metadata"]["name"]: p["spec"]["nodeName"] for p in items if p["spec"].get("nodeName")}
        return placed if len(placed) == count else None

    found: dict[str, str] = eventually(bound, f"{count} pods are scheduled", seconds)
    return found


def create(kubectl: Kubectl, namespace: str, *pods: dict[str, Any]) -> None:
    """Create the pods."""
    for manifest in pods:
        kubectl("create", "-n", namespace, "-f", "-", stdin=manifest)


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """A Deployment of pods for our scheduler."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(name)["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def server_of(supervisor: int) -> int:
    """PID of the supervisor's child, 0 where there is none."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return int(children[0]) if children else 0
