"""`stowplan recommend` against the real API server: profiles as the recommender would write them, pods as controllers make them."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.control_plane import ControlPlane
from sandbox.manifests import manifests_dir
from stowplan.cli.main import app
from stowplan.model.profile import Regression, Risk, Signal, WorkloadProfile
from stowplan.model.profile_codec import profile_manifest
from tests.integration.conftest import Kubectl
from tests.support.profiles import GIB, container, profile

NOW = int(time.time())


@pytest.fixture(scope="module")
def with_crds(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The shared control plane, knowing WorkloadProfiles."""
    control_plane.kubectl("apply", "-k", str(manifests_dir() / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "--all", "crd", "--timeout=180s")
    yield control_plane
    # until they are gone: a module that comes next may define them again, and what is being deleted cannot be
    control_plane.kubectl("delete", "-k", str(manifests_dir() / "crds"), "--wait=true", "--timeout=60s")


def write(kubectl: Kubectl, of: WorkloadProfile) -> None:
    """Create the object, then its status, as the API wants it."""
    manifest = profile_manifest(of)
    created = kubectl("create", "-f", "-", "-o", "json", stdin=manifest)
    kubectl("replace", "--subresource=status", "-f", "-", "-o", "json", stdin={**created, "status": manifest["status"]})


def deployment(name: str, namespace: str, replicas: int) -> dict[str, Any]:
    resources = {"requests": {"cpu": "2", "memory": "4Gi"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "x", "resources": resources}]},
            },
        },
    }


def recommend(plane: ControlPlane, *arguments: str) -> Any:
    environment = {"KUBECONFIG": str(plane.kubeconfig), "COLUMNS": "200"}
    found = CliRunner().invoke(app, ["recommend", *arguments], env=environment)
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture
def workloads(with_crds: ControlPlane, kubectl: Kubectl, namespace: str) -> str:  # noqa: ARG001 - the CRDs must be there
    """Two Deployments with pods, a profile without a workload, and the recommender's own memory beside them."""
    for name, replicas in (("web", 3), ("trial", 2)):
        kubectl("create", "-f", "-", "-o", "json", stdin=deployment(name, namespace, replicas))
    deadline = time.monotonic() + 180
    while (
        len(kubectl("get", "pods", "-n", namespace, "-o", "json")["items"]) < 5
    ):  # they stay pending: there is no node
        assert time.monotonic() < deadline, "the Deployments got no pods"
        time.sleep(0.2)
    halt = Regression(Signal.RESTARTS, NOW, NOW + 3600, "restarts rose from 0 to 8 per container-day")
    write(kubectl, profile("web", container(500, GIB), namespace=namespace, achieved=Risk(15_000, 0, 0)))
    write(kubectl, profile("trial", container(1000, 4 * GIB), namespace=namespace, wclass="dev", halt=halt))
    write(kubectl, profile("gone", container(100, GIB), namespace=namespace, kind="StatefulSet"))
    memory = profile_manifest(profile("memory", namespace=namespace))
    memory["metadata"]["labels"] = {"stowplan.dev/checkpoint": "0"}
    kubectl("create", "-f", "-", "-o", "json", stdin=memory)
    return namespace


def test_profiles_are_held_against_what_runs(with_crds: ControlPlane, workloads: str) -> None:
    found = json.loads(recommend(with_crds, "-n", workloads, "-o", "json").stdout)

    web, trial, gone = found["workloads"]
    assert (web["name"], web["replicas"], web["risk"]["used_percent"]) == ("web", 3, 25)
    assert web["current"] == {"cpu_millicores": 2000, "memory_bytes": 4 * GIB}
    # 3 x (1.5 cores x 37,000 + 3 GiB x 2,750) x 730
    assert web["saving_micro_usd_per_month"] == round(3 * (1.5 * 37_000 + 3 * 2_750)) * 730
    assert (trial["name"], trial["halted"]["signal"], trial["class"]) == ("trial", "Restarts", "dev")
    assert (gone["name"], gone["current"], gone["saving_micro_usd_per_month"]) == ("gone", None, None)
    assert found["problems"] == []


def test_a_workload_without_pods_is_priced_by_its_template(
    with_crds: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    stopped = {**deployment("web", namespace, 2)}
    stopped["spec"]["paused"] = True  # the controller makes no pods of a new template while it is paused
    kubectl("create", "-f", "-", "-o", "json", stdin=stopped)
    write(kubectl, profile("web", container(500, 4 * GIB), namespace=namespace))
    (web,) = json.loads(recommend(with_crds, "-n", namespace, "-o", "json").stdout)["workloads"]
    assert (web["replicas"], web["current"]["cpu_millicores"]) == (2, 2000)


def test_the_table_of_all_namespaces_names_the_halt(with_crds: ControlPlane, workloads: str) -> None:
    text = recommend(with_crds, "-A", "--sort", "name").stdout
    assert workloads[:8] in text
    assert "restarts rose from 0 to 8 per container-day" in text
