"""The extender beside a real kube-scheduler: it steers, and whatever becomes of it, pods are scheduled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from extender.scheduler_config import Channel
from sandbox.control_plane import ControlPlane
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from stowplan.catalog import load_catalog
from tests.support.extender_processes import (
    PATIENT,
    Kubectl,
    Running,
    create,
    deployment,
    eventually,
    extender,
    free_port,
    get,
    pod,
    scheduled,
    scheduler,
    server_of,
)


@pytest.fixture(scope="module")
def nodes(control_plane: ControlPlane) -> list[str]:
    """Six nodes, dear ones first by name, so that neither name nor stock scoring leads to the cheap ones."""
    catalog = load_catalog()
    types = ["m5.4xlarge", "m5.4xlarge", "m5.2xlarge", "m5.2xlarge", "m5.xlarge", "m5.xlarge"]
    manifests = [
        node_manifest(f"extender-{i}", catalog[kind], zone=f"us-east-1{'abc'[i % 3]}") for i, kind in enumerate(types)
    ]
    names = create_nodes(control_plane, manifests)
    wait_ready(control_plane, names)
    return names


@pytest.mark.parametrize("channel", ["narrow", "prioritize", "both"])
def test_pods_are_packed_on_the_cheapest_fitting_node(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path, channel: Channel
) -> None:
    def in_use() -> list[str]:
        seen = (p["spec"].get("nodeName", "") for p in kubectl("get", "pods", "-A")["items"])
        return [name for name in seen if name in nodes]

    eventually(lambda: not in_use(), "pods of earlier tests are gone")
    with extender(control_plane, channel) as ours, scheduler(control_plane, ours.url, channel, tmp_path, PATIENT):
        # Stock LeastAllocated would spread these six half-core pods; together they fit one m5.xlarge (3.9 cores allocatable).
        for i in range(6):
            create(kubectl, namespace, pod(f"p{i}"))
            scheduled(kubectl, namespace, i + 1)

        placed = scheduled(kubectl, namespace, 6)
        status, story = get(f"{ours.url}/explain/{namespace}/p5")

    assert len(set(placed.values())) == 1
    assert placed["p0"] in nodes[4:]
    assert status == 200
    assert story["outcome"] in ("greedy", "planned")
    assert story["bound_to"] == story["node"] == placed["p5"]
    assert f"{namespace}/p5 was sent to {placed['p5']} (0.1920 $/h, already in use)" in story["why"]


@pytest.mark.parametrize("channel", ["narrow", "both"])
def test_waiting_pods_are_placed_on_the_nodes_planned_for_them(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path, channel: Channel
) -> None:
    assert nodes
    with extender(control_plane, channel) as ours:
        create(kubectl, namespace, *(pod(f"p{i}", cpu) for i, cpu in enumerate(["500m", "1", "1500m", "2"] * 3)))

        def planned() -> bool:
            return bool((get(f"{ours.url}/plan")[1] or {}).get("placed") == 12)

        eventually(planned, "the plan has a slot for each of the twelve pods")
        with scheduler(control_plane, ours.url, channel, tmp_path, PATIENT):
            placed = scheduled(kubectl, namespace, 12)
        stories = {name: get(f"{ours.url}/explain/{namespace}/{name}")[1] for name in placed}

    assert {name: story["node"] for name, story in stories.items()} == placed
    assert {story["outcome"] for story in stories.values()} == {"planned"}
    assert all(story["plan"]["bound_per_hour"] <= story["plan"]["cost_per_hour"] for story in stories.values())


def test_pods_that_a_deployment_has_still_to_create_have_slots_and_land_there(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    assert nodes
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}}
    kubectl("create", "-n", namespace, "-f", "-", stdin=quota)
    with extender(control_plane, "narrow") as ours:
        kubectl("create", "-n", namespace, "-f", "-", stdin=deployment("web", 6))
        # The quota lets the first of six pods exist; the plan knows that five more are wanted.
        slots = eventually(partial(slots_of, ours, namespace, 6), "the plan has six slots")
        existing = kubectl("get", "pods", "-n", namespace)["items"]
        unplaced = [u for u in get(f"{ours.url}/plan")[1]["unplaced"] if u["namespace"] == namespace]

        with scheduler(control_plane, ours.url, "narrow", tmp_path, PATIENT):
            control_plane.kubectl("delete", "resourcequota", "one", "-n", namespace)
            placed = scheduled(kubectl, namespace, 6)
        stories = {name: get(f"{ours.url}/explain/{namespace}/{name}")[1] for name in placed}

    assert len(existing) == 1
    assert unplaced == []
    assert {story["outcome"] for story in stories.values()} == {"planned"}
    assert Counter(placed.values()) == slots


def slots_of(ours: Running, namespace: str, count: int) -> Counter[str] | None:
    """Slots by node of the owners in a namespace, once there are `count`."""
    slots: Counter[str] = Counter()
    for group in (get(f"{ours.url}/plan")[1] or {"slots": ()})["slots"]:
        if group["namespace"] == namespace:
            slots.update(group["nodes"])
    return slots if slots.total() == count else None


def test_an_extender_that_is_killed_or_stopped_is_replaced_and_pods_are_scheduled_meanwhile(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    assert nodes
    with extender(control_plane, "both") as ours, scheduler(control_plane, ours.url, "both", tmp_path):
        create(kubectl, namespace, pod("before"))
        scheduled(kubectl, namespace, 1)

        for round_, number in enumerate((signal.SIGKILL, signal.SIGSTOP)):
            child = server_of(ours.process.pid)
            os.kill(child, number)
            create(kubectl, namespace, pod(f"during-{round_}"))
            scheduled(kubectl, namespace, 2 + round_)
            eventually(partial(replaced, ours.process.pid, child), "the supervisor has replaced it")
            eventually(lambda: get(f"{ours.health}/readyz")[0] == 200, "the replacement is ready")


def replaced(supervisor: int, child: int) -> bool:
    """Whether the supervisor has another child now."""
    return server_of(supervisor) not in (0, child)


def test_without_an_extender_pods_are_scheduled(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    assert nodes
    with scheduler(control_plane, f"http://127.0.0.1:{free_port()}", "both", tmp_path):
        create(kubectl, namespace, *(pod(f"p{i}") for i in range(3)))

        scheduled(kubectl, namespace, 3)


def test_with_an_extender_that_accepts_and_never_answers_pods_are_scheduled(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    assert nodes
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        with scheduler(control_plane, url, "both", tmp_path):
            create(kubectl, namespace, *(pod(f"p{i}") for i in range(3)))

            scheduled(kubectl, namespace, 3)


@pytest.mark.parametrize(
    ("filtered", "prioritized"),
    [
        (b"no json", b"no json"),
        (None, b"{}"),
        (None, b'[{"Host": "extender-0", "Score": 7.5}]'),
        (None, b'[{"Host": "nobody", "Score": 10}]'),
        (b"[]", b"null"),
    ],
    ids=["garbage", "object", "float score", "unknown host", "wrong types"],
)
def test_with_an_extender_that_answers_nonsense_pods_are_scheduled(
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    nodes: list[str],
    tmp_path: Path,
    filtered: bytes | None,
    prioritized: bytes,
) -> None:
    assert nodes
    with answering(filtered, prioritized) as url, scheduler(control_plane, url, "both", tmp_path):
        create(kubectl, namespace, *(pod(f"p{i}") for i in range(2)))

        scheduled(kubectl, namespace, 2)


@contextlib.contextmanager
def answering(filtered: bytes | None, prioritized: bytes) -> Iterator[str]:
    """A server that answers filter (None: the names unchanged) and prioritize with fixed bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            same = json.dumps({"NodeNames": json.loads(body)["NodeNames"]}).encode()
            answer = prioritized if self.path.endswith("prioritize") else filtered or same
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_reflectors_recover_when_the_api_server_restarts(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    assert nodes
    with extender(control_plane, "narrow") as ours, scheduler(control_plane, ours.url, "narrow", tmp_path):
        control_plane.stop_component("kube-apiserver")
        control_plane.start_component("kube-apiserver")
        create(kubectl, namespace, pod("after"))
        placed = scheduled(kubectl, namespace, 1)

        def seen() -> bool:
            story = get(f"{ours.url}/explain/{namespace}/after")[1] or {}
            return bool(story.get("bound_to") == placed["after"])

        eventually(seen, "the extender's cache shows the binding")
