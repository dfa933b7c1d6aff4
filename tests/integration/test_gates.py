"""Scheduling gates on the real control plane: batches are held and placed by plan, and nothing that dies leaves a pod behind its gate."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.install import EXTENDER, Installation, install_stowplan
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from sandbox.processes import ProcessIdentity, identity_of
from stowplan.catalog import load_catalog
from tests.support.bare_planes import own_control_plane
from tests.support.extender_processes import eventually, get, server_of
from tests.support.gating import IDENTITY, allow_gates, ask_for_gates, gates_a_new_pod, is_gated, job
from tests.support.live_webhook import be_patient

pytestmark = pytest.mark.slow  # each test starts an extender; the first and last a control plane
PATIENT = ("--gate-seconds=60", "--group-gate-seconds=600")
"""Bounds that no test reaches: what is released was planned."""


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With four nodes of four cores."""
    with own_control_plane(tmp_path_factory, "gates", runs_pods=True) as running:
        wait_ready(running, create_nodes(running, [_node(i) for i in range(4)]))
        yield running


def _node(index: int) -> dict[str, Any]:
    return node_manifest(f"gates-{index}", load_catalog()["m5.xlarge"], zone="us-east-1a")


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> Installation:
    installation = install_stowplan(control_plane, extender_flags=["--gates=true"])
    allow_gates(control_plane)
    be_patient(control_plane)
    return installation


@contextlib.contextmanager
def extender(installation: Installation, namespace: str, *flags: str) -> Iterator[int]:
    """The extender with these flags, and a webhook that knows of it; the process id of its server."""
    plane = installation.control_plane
    other = Installation(**{**vars(installation), "extender_flags": ("--gates=true", *flags)})
    other.restart_component(EXTENDER)
    ask_for_gates(plane, namespace)
    eventually(lambda: gates_a_new_pod(plane, namespace), "the webhook gates pods")
    yield server_of(plane.processes[EXTENDER].pid)
    plane.kubectl("delete", "jobs", "--all", "-n", namespace, "--cascade=background")
    eventually(lambda: not pods_of(plane, namespace), "the pods are gone")


def planner_of(server: int) -> ProcessIdentity:
    """The planner process."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    found = identity_of(int(children[0]))
    assert found is not None
    return found


def pods_of(plane: ControlPlane, namespace: str) -> list[Any]:
    found: list[Any] = plane.kubectl_json("get", "pods", "-n", namespace)["items"]
    return found


def nodes_of(plane: ControlPlane, namespace: str) -> list[str]:
    """The nodes of the pods that have one."""
    return [node for p in pods_of(plane, namespace) if (node := p["spec"].get("nodeName"))]


def released(installation: Installation) -> dict[str, int]:
    """Gates taken away by this process, by why."""
    text = get(installation.extender_metrics_url)[1]
    found = re.findall(r'stowplan_extender_gates_released_total\{why="(\w+)"\} (\d+)', text)
    return {why: int(count) for why, count in found}


def create_job(plane: ControlPlane, namespace: str, manifest: dict[str, Any]) -> None:
    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))


def all_gated(plane: ControlPlane, namespace: str, count: int) -> bool:
    found = pods_of(plane, namespace)
    return len(found) == count and all(is_gated(p) for p in found)


def test_a_batch_is_held_planned_and_placed_as_planned(installed: Installation, namespace: str) -> None:
    plane = installed.control_plane
    with extender(installed, namespace, *PATIENT):
        create_job(plane, namespace, job("batch", 6, "1"))
        placed = eventually(lambda: len(n := nodes_of(plane, namespace)) == 6 and n, "six pods have nodes")

        # Six pods of one core; a node has 3.9 cores, so three fit on one: two nodes.
        assert len(set(placed)) == 2
        assert released(installed) == {"planned": 6}
        assert not any(is_gated(p) for p in pods_of(plane, namespace))
        whys = [p["metadata"]["annotations"]["status.stowplan.dev/why"] for p in pods_of(plane, namespace)]
        assert all("held by a gate until it is planned" in why for why in whys)
        explained = get(
            f"{installed.extender_url}/explain/{namespace}/{pods_of(plane, namespace)[0]['metadata']['name']}"
        )
        assert explained[1]["outcome"] == "planned"


def test_a_pod_with_no_place_is_shown_to_the_scheduler(installed: Installation, namespace: str) -> None:
    """An autoscaler sees no pod behind a gate."""
    plane = installed.control_plane
    with extender(installed, namespace, *PATIENT):
        create_job(plane, namespace, job("large", 1, "16"))

        eventually(lambda: released(installed) == {"unplaced": 1}, "the gate is gone")
        (condition,) = eventually(
            lambda: [
                c
                for p in pods_of(plane, namespace)
                for c in p["status"].get("conditions") or ()
                if c["type"] == "PodScheduled" and c["reason"] == "Unschedulable"
            ],
            "the scheduler says so",
        )
        assert "Insufficient cpu" in condition["message"]


def test_a_hung_planner_delays_pods_until_the_bound_and_no_longer(installed: Installation, namespace: str) -> None:
    plane = installed.control_plane
    with extender(installed, namespace) as server:
        planner_of(server).signal(signal.SIGSTOP)
        create_job(plane, namespace, job("batch", 3, "1"))

        eventually(lambda: len(nodes_of(plane, namespace)) == 3, "three pods have nodes")
        assert released(installed) == {"bound": 3}


def test_a_killed_extender_stops_the_webhook_and_the_next_one_releases_who_was_held(
    installed: Installation, namespace: str
) -> None:
    plane = installed.control_plane
    with extender(installed, namespace, *PATIENT) as server:
        planner_of(server).signal(signal.SIGSTOP)
        create_job(plane, namespace, job("held", 2, "1"))
        eventually(lambda: all_gated(plane, namespace, 2), "two pods are held")

        plane.stop_component(EXTENDER, kill=True)
        eventually(lambda: not Path(f"/proc/{server}").exists(), "the server has gone with its supervisor")
        eventually(lambda: not gates_a_new_pod(plane, namespace), "the webhook has stopped gating")
        create_job(plane, namespace, job("free", 2, "1"))
        eventually(lambda: len(nodes_of(plane, namespace)) == 2, "new pods are placed without an extender")
        assert sum(is_gated(p) for p in pods_of(plane, namespace)) == 2

        Installation(**{**vars(installed), "extender_flags": ("--gates=true", *PATIENT)}).restart_component(EXTENDER)
        eventually(lambda: len(nodes_of(plane, namespace)) == 4, "those that were held are placed")
        assert released(installed) == {"leftover": 2}
        eventually(lambda: gates_a_new_pod(plane, namespace), "the webhook gates again")


def test_an_extender_that_ends_leaves_no_gate_behind(installed: Installation, namespace: str) -> None:
    plane = installed.control_plane
    with extender(installed, namespace, *PATIENT) as server:
        planner_of(server).signal(signal.SIGSTOP)
        create_job(plane, namespace, job("held", 3, "1"))
        eventually(lambda: all_gated(plane, namespace, 3), "three pods are held")

        plane.stop_component(EXTENDER)

        assert not any(is_gated(p) for p in pods_of(plane, namespace))
        assert not gates_a_new_pod(plane, namespace)
        eventually(lambda: len(nodes_of(plane, namespace)) == 3, "they are placed without an extender")


def test_without_the_flag_gates_that_are_there_are_taken_away(installed: Installation, namespace: str) -> None:
    plane = installed.control_plane
    spec = {"schedulerName": "stowplan-scheduler", "schedulingGates": [{"name": "stowplan.dev/plan"}, {"name": "a/b"}]}
    spec |= {"containers": [{"name": "c", "image": "i"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stuck"}, "spec": spec}
    Installation(**{**vars(installed), "extender_flags": ()}).restart_component(EXTENDER)

    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod))

    def gates() -> list[str]:
        return [g["name"] for g in pods_of(plane, namespace)[0]["spec"].get("schedulingGates") or ()]

    eventually(lambda: gates() == ["a/b"], "our gate is gone and the other one stays")


GANG = {"stowplan.dev/gang": "all"}


def test_a_group_without_room_for_all_is_held_and_goes_together_once_there_is(
    installed: Installation, namespace: str
) -> None:
    plane = installed.control_plane
    with extender(installed, namespace, *PATIENT):
        # Pods of 3 cores on nodes of 3.9: one each, and there are four nodes for five pods.
        create_job(plane, namespace, job("train", 5, "3", GANG))
        create_job(plane, namespace, job("other", 1, "500m"))
        eventually(lambda: len(nodes_of(plane, namespace)) == 1, "the pod that belongs to no group is placed")
        assert sum(is_gated(p) for p in pods_of(plane, namespace)) == 5

        wait_ready(plane, create_nodes(plane, [_node(4)]))
        placed = eventually(lambda: len(n := nodes_of(plane, namespace)) == 6 and n, "all five are placed")

        assert len(set(placed)) == 5
        assert released(installed) == {"planned": 6}
    plane.kubectl("delete", "node", "gates-4")


def test_a_group_that_cannot_be_placed_is_let_go_at_its_bound(installed: Installation, namespace: str) -> None:
    plane = installed.control_plane
    with extender(installed, namespace, "--gate-seconds=60", "--group-gate-seconds=3"):
        create_job(plane, namespace, job("train", 5, "3", GANG))

        eventually(lambda: released(installed) == {"group_bound": 5}, "the bound has passed")
        eventually(lambda: len(nodes_of(plane, namespace)) == 4, "as many as fit are placed")


def test_the_extender_may_take_its_gate_away_and_do_nothing_else(installed: Installation, namespace: str) -> None:
    plane = installed.control_plane
    with extender(installed, namespace, *PATIENT) as server:
        planner_of(server).signal(signal.SIGSTOP)
        create_job(plane, namespace, job("held", 1, "1"))
        eventually(lambda: all_gated(plane, namespace, 1), "the pod is held")
        name = pods_of(plane, namespace)[0]["metadata"]["name"]

        def patch(body: Any, kind: str = "strategic") -> str:
            as_extender = ("-n", namespace, f"--type={kind}", f"--as={IDENTITY}")
            return plane.kubectl("patch", "pod", name, *as_extender, "-p", json.dumps(body))

        for body in (
            {"spec": {"containers": [{"name": "c", "image": "other"}]}},
            {"spec": {"nodeSelector": {"a": "b"}}},
            {"spec": {"activeDeadlineSeconds": 1}},
            {"metadata": {"labels": {"a": "b"}}},
            {"metadata": {"annotations": {"a": "b"}}},
        ):
            with pytest.raises(SandboxError, match="off a pod, and change nothing else"):
                patch(body)
        theirs = plane.kubectl_json("get", "pod", name, "-n", namespace)
        theirs["spec"]["schedulingGates"] = [{"name": "a/b"}]
        theirs["metadata"] = {"name": "theirs"}
        theirs["spec"].pop("nodeSelector", None)
        plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(theirs))
        with pytest.raises(SandboxError, match="and no other"):
            plane.kubectl(
                *("patch", "pod", "theirs", "-n", namespace, "--type=merge", f"--as={IDENTITY}"),
                *("-p", json.dumps({"spec": {"schedulingGates": None}})),
            )

        patch({"spec": {"schedulingGates": [{"$patch": "delete", "name": "stowplan.dev/plan"}]}})

        eventually(lambda: len(nodes_of(plane, namespace)) == 1, "the pod is placed")
        plane.kubectl("delete", "pod", "theirs", "-n", namespace)
