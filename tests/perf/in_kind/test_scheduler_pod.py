"""The scheduler's pod of an arm is that of the manifests but for the arm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from perf.in_kind.own_nodes import OWN
from perf.in_kind.scheduler_pod import arm_deployment
from perf.throughput.arms import ARMS
from sandbox.manifests import manifests_dir


@pytest.fixture
def original() -> dict[str, Any]:
    """The Deployment as the manifests have it."""
    text = (manifests_dir() / "base" / "scheduler" / "deployment.yaml").read_text(encoding="utf-8")
    (found,) = (document for document in yaml.safe_load_all(text) if document["kind"] == "Deployment")
    deployment: dict[str, Any] = found
    return deployment


def containers(deployment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {container["name"]: container for container in deployment["spec"]["template"]["spec"]["containers"]}


def test_the_stock_arm_has_no_extender(original: dict[str, Any]) -> None:
    assert containers(arm_deployment(original, ARMS["stock"])).keys() == {"kube-scheduler"}


def test_an_arm_adds_its_flags_and_changes_nothing_else_of_the_containers(original: dict[str, Any]) -> None:
    made = containers(arm_deployment(original, ARMS["nominate"]))
    args = made["extender"].pop("args")
    before = containers(original)
    written = before["extender"].pop("args")

    assert made == before
    assert args == [*written, "--channel=prioritize", *ARMS["nominate"].flags]


def test_it_runs_once_on_a_real_node_with_the_arms_configuration(original: dict[str, Any]) -> None:
    made = arm_deployment(original, ARMS["narrow"])
    pod = made["spec"]["template"]["spec"]

    assert made["spec"]["replicas"] == 1
    assert pod["nodeSelector"] == {OWN: "own"}
    assert {"key": OWN, "operator": "Exists"} in pod["tolerations"]
    (volume,) = (volume for volume in pod["volumes"] if "configMap" in volume)
    assert volume["configMap"]["name"] == "perf-scheduler-configuration"
    assert original["spec"]["replicas"] == 2  # the original is as it was, for the next arm
    assert made["spec"]["template"] != arm_deployment(original, ARMS["stock"])["spec"]["template"]
