"""What goes wrong around the extender: a binding that fails, a watch that lags, a planner that dies, a leader that changes."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from perf.throughput.processor_time import family
from sandbox.control_plane import ControlPlane
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from stowplan.catalog import load_catalog
from tests.support.extender_processes import (
    PATIENT,
    Kubectl,
    create,
    eventually,
    extender,
    get,
    pod,
    scheduled,
    scheduler,
)
from tests.support.slow_link import slow_link

POOL = "faults"


@pytest.fixture(scope="module")
def nodes(control_plane: ControlPlane) -> list[str]:
    """A cheap node and two dear ones that only pods of these tests select."""
    catalog = load_catalog()
    types = ["m5.xlarge", "m5.4xlarge", "m5.4xlarge"]
    manifests = [node_manifest(f"faults-{i}", catalog[kind], zone="us-east-1a") for i, kind in enumerate(types)]
    for manifest in manifests:
        manifest["metadata"]["labels"]["pool"] = POOL
    names = create_nodes(control_plane, manifests)
    wait_ready(control_plane, names)
    return names


def here(name: str, cpu: str = "500m") -> dict[str, object]:
    """A pod for the nodes of this module."""
    return pod(name, cpu, nodeSelector={"pool": POOL})


def forbid_bindings(control_plane: ControlPlane, namespace: str, node: str) -> None:
    """An admission policy that refuses bindings of the namespace's pods to one node, in force when this returns."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/binding"]}
    name = f"no-{node}"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": f"object.target.name != '{node}'", "message": "not there"}],
        },
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    }
    for manifest in (policy, binding):
        control_plane.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "probe"},
        "target": {"kind": "Node", "name": node},
    }

    def refused() -> bool:
        path = f"/api/v1/namespaces/{namespace}/pods/probe/binding?dryRun=All"
        try:
            control_plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
        except Exception as error:  # noqa: BLE001 - kubectl's words tell a refusal from success and from other failures
            return "not there" in str(error)
        return False

    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod("probe", schedulerName="nobody")))
    eventually(refused, "the policy is in force")


def test_a_pod_whose_binding_failed_is_offered_other_nodes(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    cheap = nodes[0]
    forbid_bindings(control_plane, namespace, cheap)
    try:
        with (
            extender(control_plane, "narrow") as ours,
            scheduler(control_plane, ours.url, "narrow", tmp_path, PATIENT),
        ):
            create(kubectl, namespace, here("p"))
            placed = scheduled(kubectl, namespace, 1)
            story = eventually(lambda: get(f"{ours.url}/explain/{namespace}/p")[1], "the extender explains")
            metrics = eventually(lambda: get(f"{ours.health}/metrics")[1], "the extender has metrics")
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            control_plane.kubectl("delete", kind, f"no-{cheap}")

    assert story["node"] == cheap  # where we sent it first
    assert placed["p"] in nodes[1:]
    assert 'stowplan_extender_decisions_total{outcome="retried",verb="filter"}' in metrics


def test_with_a_watch_that_is_seconds_behind_nothing_is_overcommitted(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    with slow_link(control_plane.port("kube-apiserver")) as link:
        kubeconfig = tmp_path / "slow.kubeconfig"
        kubeconfig.write_text(
            control_plane.kubeconfig.read_text().replace(control_plane.url, f"https://127.0.0.1:{link.port}")
        )
        with (
            extender(control_plane, "narrow", kubeconfig=kubeconfig) as ours,
            scheduler(control_plane, ours.url, "narrow", tmp_path, PATIENT),
        ):
            link.delay = 3.0
            # 30 pods of one core do not fit on the cheap node of 3.9 cores, whatever a stale mirror says.
            create(kubectl, namespace, *(here(f"p{i}", "1") for i in range(30)))
            placed = scheduled(kubectl, namespace, 30)
            link.delay = 0.0

    cores = {nodes[0]: 3.92, nodes[1]: 15.89, nodes[2]: 15.89}
    assert all(count <= cores[name] for name, count in Counter(placed.values()).items())


def test_a_planner_that_is_killed_is_replaced_and_pods_are_scheduled_meanwhile(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    assert nodes

    def planners(supervisor: int) -> list[int]:
        return [pid for pid, command in family(supervisor).items() if "extender.planner.child" in command]

    with extender(control_plane, "narrow") as ours, scheduler(control_plane, ours.url, "narrow", tmp_path, PATIENT):
        first = eventually(partial(planners, ours.process.pid), "a planner runs")
        os.kill(first[0], signal.SIGKILL)
        create(kubectl, namespace, *(here(f"p{i}") for i in range(4)))

        scheduled(kubectl, namespace, 4)
        eventually(lambda: planners(ours.process.pid) not in ([], first), "another planner runs")
        eventually(lambda: (get(f"{ours.url}/plan")[1] or {}).get("generation"), "it plans")


def test_when_the_leader_is_killed_the_other_scheduler_and_its_extender_take_over(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: list[str], tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with (
        extender(control_plane, "narrow") as one,
        extender(control_plane, "narrow") as two,
        scheduler(control_plane, one.url, "narrow", folders[0], PATIENT, lease_namespace=namespace) as leader,
    ):
        create(kubectl, namespace, here("before"))
        scheduled(kubectl, namespace, 1)
        with scheduler(control_plane, two.url, "narrow", folders[1], PATIENT, lease_namespace=namespace):
            leader.kill()
            create(kubectl, namespace, *(here(f"after-{i}") for i in range(3)))
            placed = scheduled(kubectl, namespace, 4)
            story = eventually(lambda: get(f"{two.url}/explain/{namespace}/after-0")[1], "the second extender explains")

    # The second extender has seen where the first one put its pod, and goes on filling the same cheap node.
    assert set(placed.values()) == {nodes[0]}
    assert story["node"] == nodes[0]
