"""GPU fragments beside a real kube-scheduler: light pods leave the CPU beside GPUs to the pods that need it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane import ControlPlane
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from stowplan.catalog import load_catalog
from tests.support.extender_processes import (
    PATIENT,
    Kubectl,
    Running,
    create,
    eventually,
    extender,
    get,
    pod,
    scheduled,
    scheduler,
)

_SEEN = 32
"""Pods after which there is a mix."""


@pytest.fixture
def nodes(control_plane: ControlPlane) -> Iterator[dict[str, list[str]]]:
    """By what they are to hungry pods; every node has one GPU, and four or eight cores."""
    catalog = load_catalog()
    kinds = {"poor": "g6.xlarge", "rich": "g6.2xlarge"}
    named = {use: [f"gpu-{use}-{i}" for i in range(2)] for use in kinds}
    manifests = [
        node_manifest(name, catalog[kinds[use]], zone="us-east-1a") for use, names in named.items() for name in names
    ]
    names = create_nodes(control_plane, manifests)
    wait_ready(control_plane, names)
    yield named
    control_plane.kubectl("delete", "node", *names)


def asking(name: str, cpu: str, **spec: Any) -> dict[str, Any]:
    """A pod for one GPU."""
    manifest = pod(name, cpu, **spec)
    requests = manifest["spec"]["containers"][0]["resources"]["requests"]
    manifest["spec"]["containers"][0]["resources"]["requests"] = requests | {"nvidia.com/gpu": "1"}
    manifest["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/gpu": "1"}
    return manifest


def autoscaler_looked_for(ours: Running) -> bool:
    """Whether the extender knows by now that no autoscaler is there."""
    text = get(f"{ours.health}/metrics")[1]
    return any("autoscaler" in line and line.endswith(" 1.0") and "read" in line for line in text.splitlines())


def test_light_pods_leave_the_cpu_to_those_that_need_it(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, nodes: dict[str, list[str]], tmp_path: Path
) -> None:
    with extender(control_plane, "narrow") as ours:
        eventually(lambda: autoscaler_looked_for(ours), "the extender has looked for an autoscaler")
        # those that come are hungry: five cores and a GPU each (nobody schedules these)
        create(kubectl, namespace, *(asking(f"seen-{i}", "5", schedulerName="nobody") for i in range(_SEEN)))
        eventually(lambda: "stowplan_extender_gpu_kinds 1.0" in get(f"{ours.health}/metrics")[1], "the mix is known")
        create(kubectl, namespace, asking("light-0", "500m"))
        with scheduler(control_plane, ours.url, "narrow", tmp_path, PATIENT):
            scheduled(kubectl, namespace, 1)
            create(kubectl, namespace, asking("light-1", "500m"))
            light = scheduled(kubectl, namespace, 2)
            story = get(f"{ours.url}/explain/{namespace}/light-1")[1]
            create(kubectl, namespace, asking("hungry-0", "5"), asking("hungry-1", "5"))
            placed = scheduled(kubectl, namespace, 4)

    # the large node is the cheaper one for the share of it that a light pod takes, and stock scheduling prefers its free CPU
    assert sorted(light.values()) == nodes["poor"]
    assert sorted({placed["hungry-0"], placed["hungry-1"]}) == nodes["rich"]
    assert story["options"][0]["gpus_made_unusable"] == -1  # of no use to hungry pods before
    assert "GPUs are of use again" in story["why"]
