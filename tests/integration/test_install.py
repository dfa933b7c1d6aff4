"""stowplan as installed: a Deployment is sized and placed; who did not opt in is left alone; what is down blocks nothing."""

import json
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import sandbox.install
from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.install import COMPONENTS, SCHEDULER, WEBHOOK, Installation, enable_namespace, install_stowplan
from sandbox.nodes import create_nodes, mixed_nodes, wait_ready
from sandbox.probe import wait_until
from tests.support.bare_planes import own_control_plane
from tests.support.live_webhook import be_patient

pytestmark = pytest.mark.slow
WHY = "status.stowplan.dev/why"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With six nodes of several shapes."""
    with own_control_plane(tmp_path_factory, "install", runs_pods=True) as running:
        wait_ready(running, create_nodes(running, mixed_nodes(6)))
        yield running


@pytest.fixture(scope="module")
def installation(plane: ControlPlane) -> Installation:
    installed = install_stowplan(plane)
    be_patient(plane)
    return installed


@pytest.fixture
def shop(plane: ControlPlane, installation: Installation) -> str:
    """A namespace that has opted in, with a default class."""
    name = f"shop-{uuid.uuid4().hex[:8]}"
    enable_namespace(plane, name, default_class="elastic", allowed_classes=["elastic", "batch"])
    assert installation.control_plane is plane
    return name


def deploy(plane: ControlPlane, namespace: str, replicas: int = 2, labels: dict[str, str] | None = None) -> list[Any]:
    """Create a Deployment without any request; returns its pods once they run."""
    selector = {"app": "web"}
    template = {
        "metadata": {"labels": {**selector, **(labels or {})}},
        "spec": {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": selector}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(deployment))

    def running() -> bool:
        pods = pods_of(plane, namespace)
        return len(pods) == replicas and all(pod["status"]["phase"] == "Running" for pod in pods)

    wait_until(f"{replicas} pods running in {namespace}", running, interval_seconds=0.2)
    return pods_of(plane, namespace)


def pods_of(plane: ControlPlane, namespace: str) -> list[Any]:
    found: list[Any] = plane.kubectl_json("get", "pods", "-n", namespace)["items"]
    return found


def is_untouched(pod: Any) -> bool:
    annotations = pod["metadata"].get("annotations") or {}
    return (
        WHY not in annotations
        and pod["spec"]["schedulerName"] == "default-scheduler"
        and pod["spec"]["containers"][0]["resources"] == {}
    )


def test_a_deployment_is_sized_prioritised_and_placed_by_our_scheduler(plane: ControlPlane, shop: str) -> None:
    for pod in deploy(plane, shop, replicas=3):
        # Cold start of elastic: size m, shape general (500m, 2Gi); memory limit 125 % of 2048 Mi = 2560 Mi
        assert pod["spec"]["containers"][0]["resources"] == {
            "requests": {"cpu": "500m", "memory": "2Gi"},
            "limits": {"memory": "2560Mi"},
        }
        assert (pod["spec"]["priorityClassName"], pod["spec"]["priority"]) == ("stowplan-elastic", 50_000)
        assert pod["spec"]["schedulerName"] == "stowplan-scheduler"
        assert pod["spec"]["nodeName"].startswith("node-")
        assert pod["metadata"]["annotations"][WHY].startswith("elastic: app gets 500m CPU and 2Gi memory")


def test_the_extender_is_asked_and_answers(plane: ControlPlane, installation: Installation, shop: str) -> None:
    deploy(plane, shop)

    with urllib.request.urlopen(installation.extender_metrics_url, timeout=60) as page:  # noqa: S310 - our own, on loopback
        text = page.read().decode()
    counts = [line for line in text.splitlines() if line.startswith("stowplan_extender_request_duration_seconds_count")]
    assert sum(float(line.split()[-1]) for line in counts if 'verb="filter"' in line) >= 2  # two pods


def test_a_namespace_that_did_not_opt_in_is_left_alone(plane: ControlPlane, installation: Installation) -> None:
    assert installation.webhook_url.startswith("https://127.0.0.1:")
    name = f"other-{uuid.uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    plane.wait_for_namespace(name)

    assert all(is_untouched(pod) for pod in deploy(plane, name))


@pytest.mark.parametrize("label", [{"stowplan.dev/mode": "off"}, {"stowplan.dev/inject": "disabled"}], ids=str)
def test_a_pod_can_opt_out(plane: ControlPlane, shop: str, label: dict[str, str]) -> None:
    assert all(is_untouched(pod) for pod in deploy(plane, shop, labels=label))


def test_without_the_webhook_pods_run_as_written_and_after_a_restart_they_are_sized_again(
    plane: ControlPlane, installation: Installation, shop: str
) -> None:
    plane.stop_component(WEBHOOK, kill=True)
    try:
        assert all(is_untouched(pod) for pod in deploy(plane, shop))
    finally:
        installation.restart_component(WEBHOOK)
    plane.kubectl("delete", "deployment", "web", "-n", shop, "--cascade=foreground")

    assert all(WHY in pod["metadata"]["annotations"] for pod in deploy(plane, shop))


def scheduler_of_a_new_pod(plane: ControlPlane, namespace: str) -> str:
    """Whom a pod would be given to now (a server-side dry run)."""
    containers = [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": containers}}
    answer = plane.kubectl_json("create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    return str(answer["spec"]["schedulerName"])


def test_while_our_scheduler_is_down_new_pods_are_sized_and_go_to_the_default_one(
    plane: ControlPlane, installation: Installation, shop: str
) -> None:
    plane.stop_component(SCHEDULER, kill=True)
    try:
        # The Lease lasts 15 s (kube-scheduler's default); until it is over the scheduler may come back.
        gone = "default-scheduler"
        wait_until("the Lease to end", lambda: scheduler_of_a_new_pod(plane, shop) == gone)
        for pod in deploy(plane, shop):
            assert pod["spec"]["schedulerName"] == gone
            assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "2Gi"}
    finally:
        installation.restart_component(SCHEDULER)

    back = "stowplan-scheduler"
    wait_until("the Lease to be renewed", lambda: scheduler_of_a_new_pod(plane, shop) == back)


def test_a_policy_that_contradicts_itself_is_refused(plane: ControlPlane, installation: Installation) -> None:
    assert installation.channel == "narrow"
    with pytest.raises(SandboxError, match="defaultClass must be one of allowedClasses"):
        enable_namespace(plane, "contradiction", default_class="dev", allowed_classes=["batch"])


def test_installing_over_a_running_installation_is_an_error_and_harms_nothing(
    plane: ControlPlane, installation: Installation
) -> None:
    assert installation.control_plane is plane
    before = {name: plane.processes[name].pid for name in COMPONENTS}

    with pytest.raises(SandboxError, match="installed here already"):
        install_stowplan(plane)

    assert {name: plane.processes[name].pid for name in COMPONENTS} == before


def test_an_unknown_component_is_an_error(installation: Installation) -> None:
    with pytest.raises(ValueError, match="component 'etcd' is unknown; there are stowplan-webhook"):
        installation.restart_component("etcd")


def test_installing_again_after_stopping_works_and_stopping_leaves_nothing_registered(
    plane: ControlPlane, installation: Installation
) -> None:
    installation.stop()

    assert plane.kubectl_json("get", "mutatingwebhookconfigurations")["items"] == []
    assert not set(COMPONENTS) & set(plane.processes)
    again = install_stowplan(plane, channel="both")
    try:
        assert again.webhook_url == installation.webhook_url
        assert set(COMPONENTS) <= set(plane.processes)
    finally:
        again.stop()
    again.stop()  # harmless


def test_an_installation_that_fails_leaves_nothing_running(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unready(*_: object, **__: object) -> None:
        raise SandboxError("not ready")

    monkeypatch.setattr(sandbox.install, "_prove", unready)
    with pytest.raises(SandboxError, match="not ready"):
        install_stowplan(plane)

    assert plane.kubectl_json("get", "mutatingwebhookconfigurations")["items"] == []
    assert not set(COMPONENTS) & set(plane.processes)
