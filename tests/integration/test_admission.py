"""The webhook behind a real API server: what is stored is what was decided, and nothing it does or fails to do blocks a pod.

Two entries of the configuration call the same webhook with `reinvocationPolicy: IfNeeded`, so that every pod is decided at least
twice, with the API server's own defaulting and admission plugins in between.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.probe import wait_until
from stowplan.model.resources import parse_amounts
from tests.support.live_webhook import Webhook, create, installed
from tests.support.pods import container
from webhook.documents import read_text
from webhook.offline import Result, mutate_documents, read_state

Kubectl = Callable[..., Any]
NAME = "admission-test-webhook"
LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "stowplan-scheduler", "namespace": "stowplan-system"},
    "spec": {"holderIdentity": "test", "leaseDurationSeconds": 60},
}


@pytest.fixture(scope="module")
def scheduler_lease(control_plane: ControlPlane) -> Iterator[None]:
    """A Lease renewed every few seconds, as kube-scheduler would."""
    stop = threading.Event()
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stowplan-system"}}
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(system))

    def renew() -> None:
        while not stop.is_set():
            now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            lease = {**LEASE, "spec": {**LEASE["spec"], "renewTime": now}}  # type: ignore[dict-item] # a literal of mixed values
            with suppress(SandboxError):  # of an API server that stalls; the Lease outlasts many renewals that fail
                control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(lease))
            stop.wait(3)

    thread = threading.Thread(target=renew)
    thread.start()
    yield
    stop.set()
    thread.join()
    # Left behind it would tell every later test on this control plane that somebody else leads.
    control_plane.kubectl("delete", "lease", "stowplan-scheduler", "-n", "stowplan-system")


@pytest.fixture(scope="module")
def webhook(
    control_plane: ControlPlane, scheduler_lease: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """Installed with the built-in PriorityClasses and without the custom resource definitions."""
    assert scheduler_lease is None
    with installed(control_plane, tmp_path_factory.mktemp("tls"), NAME) as running:
        yield running


@pytest.fixture
def shop(control_plane: ControlPlane, namespace: str, webhook: Webhook) -> str:
    """A namespace that has opted in, once a dry run shows that the webhook is called and knows the scheduler."""
    assert webhook.plane is control_plane
    webhook.opt_in(namespace)

    def served() -> bool:
        found = create(control_plane, namespace, pod_of("probe"), "--dry-run=server")
        return bool(found["spec"]["schedulerName"] == "stowplan-scheduler")

    wait_until("the webhook is called", served, interval_seconds=0.3)
    return namespace


def pod_of(name: str, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pod that never needs to run."""
    metadata = {"name": name, "labels": {"app": "web", **more.pop("labels", {})}}
    if "annotations" in more:
        metadata["annotations"] = more.pop("annotations")
    spec = {"containers": list(containers) or [container()], **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def offline(obj: dict[str, Any], namespace: str, tmp_path: Path, *cluster_objects: dict[str, Any]) -> Result:
    """What `stowplan mutate` says about the same object."""
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"kind": "List", "items": list(cluster_objects)}), encoding="utf-8")
    (result,) = mutate_documents(read_text(json.dumps(obj), "test"), read_state([str(file)]), namespace)
    return result


def limit_range(namespace: str, **item: Any) -> dict[str, Any]:
    metadata = {"name": "limits", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": metadata,
        "spec": {"limits": [{"type": "Container", **item}]},
    }


def decided(pod: Any) -> dict[str, Any]:
    """The parts of a pod that stowplan decides."""
    keys = (
        "priorityClassName",
        "priority",
        "preemptionPolicy",
        "schedulerName",
        "topologySpreadConstraints",
        "affinity",
    )
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    notes = pod["metadata"].get("annotations", {})
    return {
        "resources": {
            c["name"]: {kind: parse_amounts(block) for kind, block in c.get("resources", {}).items() if block}
            for c in containers
        },
        "why": notes.get("status.stowplan.dev/why"),
        **{key: pod["spec"].get(key) for key in keys},
    }


CASES = {
    "plain": pod_of("plain"),
    "critical": pod_of("critical", labels={"stowplan.dev/class": "critical"}),
    "batch": pod_of("batch", labels={"stowplan.dev/class": "batch", "stowplan.dev/size": "xl"}),
    "own": pod_of("own", container(requests={"cpu": "1.5", "memory": "1e9"}, limits={"memory": "2e9"})),
    "limit-only": pod_of("limit-only", container(limits={"cpu": "0.5"})),
    "guaranteed": pod_of(
        "guaranteed",
        container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "1", "memory": "1Gi"}),
        labels={"stowplan.dev/size": "l"},
    ),
    "sidecars": pod_of(
        "sidecars",
        container("app"),
        container("proxy", requests={"cpu": "20m"}),
        initContainers=[container("migrate"), container("mesh", restartPolicy="Always")],
    ),
    "pod-level": pod_of("pod-level", resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}}),
    "observe": pod_of("observe", labels={"stowplan.dev/mode": "observe"}),
    "consent": pod_of(
        "consent", container(requests={"cpu": "4", "memory": "8Gi"}), labels={"stowplan.dev/size": "auto"}
    ),
    "forged": pod_of("forged", annotations={"status.stowplan.dev/decision": '{"id": "d-1"}'}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cluster_stores_what_mutate_says_offline(
    control_plane: ControlPlane, shop: str, tmp_path: Path, name: str
) -> None:
    expected = offline(CASES[name], shop, tmp_path)

    stored = create(control_plane, shop, CASES[name])

    # What the API server defaults and offline nobody would: Priority's zero, and the default scheduler's name.
    wanted = decided(expected.pod)
    if name == "observe":
        wanted |= {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", "schedulerName": "default-scheduler"}
    assert decided(stored) == wanted


RANGES: dict[str, dict[str, Any]] = {
    "minimum": {"min": {"cpu": "750m", "memory": "128Mi"}},
    "maximum": {"max": {"cpu": "2", "memory": "1Gi"}},
    "ratio": {"max": {"memory": "8Gi"}, "maxLimitRequestRatio": {"memory": "1.1"}},
    "defaults": {"default": {"cpu": "200m", "memory": "256Mi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}},
    "all": {
        "min": {"cpu": "10m", "memory": "32Mi"},
        "max": {"cpu": "1", "memory": "1Gi"},
        "default": {"cpu": "300m", "memory": "256Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "200Mi"},
        "maxLimitRequestRatio": {"cpu": "4", "memory": "2"},
    },
}


@pytest.mark.parametrize("kind", RANGES)
def test_a_limit_range_is_met_and_offline_says_the_same(
    control_plane: ControlPlane, shop: str, tmp_path: Path, kind: str
) -> None:
    ranged = limit_range(shop, **RANGES[kind])
    create(control_plane, shop, ranged)
    # LimitRanger's own cache is filled by a watch: its verdict on an impossible pod shows that it knows the new object.
    received = pod_of("web", container(), container("proxy"))

    def settled() -> bool:
        found = create(control_plane, shop, received, "--dry-run=server")
        return decided(found) == decided(offline(received, shop, tmp_path, ranged).pod)

    wait_until("the LimitRange has reached API server and webhook", settled, interval_seconds=0.2)
    stored = create(control_plane, shop, received)

    assert decided(stored) == decided(offline(received, shop, tmp_path, ranged).pod)


def test_a_limit_range_default_below_the_users_request_no_longer_refuses_the_pod(
    control_plane: ControlPlane, shop: str
) -> None:
    create(control_plane, shop, limit_range(shop, default={"memory": "256Mi"}))

    def created() -> bool:
        try:
            found = create(
                control_plane, shop, pod_of("big", container(requests={"memory": "1Gi"})), "--dry-run=server"
            )
        except SandboxError:  # the API server knows the default, the webhook does not yet
            return False
        return bool(found["spec"]["containers"][0]["resources"].get("limits", {}).get("memory") == "1Gi")

    wait_until("a request above the default limit is admitted", created, interval_seconds=0.2)


def test_a_full_quota_costs_the_size_and_never_the_pod(control_plane: ControlPlane, shop: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": shop},
        "spec": {"hard": {"requests.cpu": "600m"}},
    }
    create(control_plane, shop, quota)
    wait_until(
        "the quota has a status",
        lambda: bool(control_plane.kubectl_json("get", "quota", "q", "-n", shop)["status"].get("hard")),
        interval_seconds=0.2,
    )
    small = container(requests={"cpu": "50m"})
    first = create(control_plane, shop, pod_of("first", small, labels={"stowplan.dev/size": "m"}))

    def second() -> bool:
        try:
            create(control_plane, shop, pod_of("second", small, labels={"stowplan.dev/size": "m"}))
        except SandboxError:  # until the webhook has seen the new usage; a controller would retry too
            return False
        return True

    # 500m of 600m are used: the second pod fits with its own 50m only.
    assert first["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "500m"
    wait_until("the second pod is admitted", second, interval_seconds=0.2)
    stored = control_plane.kubectl_json("get", "pod", "second", "-n", shop)
    assert stored["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "50m"}
    assert "no room" in stored["metadata"]["annotations"]["status.stowplan.dev/why"]


def test_a_deployments_pods_are_sized_and_spread(control_plane: ControlPlane, shop: str) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]}}
    spec = {"replicas": 6, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    create(
        control_plane, shop, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    )

    def pods() -> list[Any]:
        found: list[Any] = control_plane.kubectl_json("get", "pods", "-n", shop)["items"]
        return found

    wait_until("six pods exist", lambda: len(pods()) == 6, interval_seconds=0.2)
    for stored in pods():
        assert stored["spec"]["containers"][0]["resources"] == {
            "requests": {"cpu": "500m", "memory": "2Gi"},
            "limits": {"memory": "2560Mi"},
        }
        assert stored["spec"]["priority"] == 70_000
        # 6 replicas // 3 = skew 2; a pod created before the ReplicaSet was seen has the zone constraint only
        skews = {c["topologyKey"]: c["maxSkew"] for c in stored["spec"]["topologySpreadConstraints"]}
        assert skews["topology.kubernetes.io/zone"] == 1
        assert skews.get("kubernetes.io/hostname", 2) == 2


def test_a_dry_run_shows_what_would_be_stored(control_plane: ControlPlane, shop: str) -> None:
    dry = create(control_plane, shop, pod_of("twice"), "--dry-run=server")
    stored = create(control_plane, shop, pod_of("twice"))

    assert decided(dry) == decided(stored)


def test_every_pod_was_decided_again_and_nothing_went_wrong(
    control_plane: ControlPlane, shop: str, webhook: Webhook
) -> None:
    before = webhook.reviews().get(("skipped", "AlreadyDecided"), 0.0)

    create(control_plane, shop, pod_of("again"))

    reviews = webhook.reviews()
    assert reviews["skipped", "AlreadyDecided"] > before
    assert not [key for key in reviews if key[0] == "error"]


def test_a_killed_webhook_blocks_no_pod(control_plane: ControlPlane, shop: str, webhook: Webhook) -> None:
    control_plane.stop_component(NAME, kill=True)
    try:
        stored = create(control_plane, shop, pod_of("alone"))
    finally:
        webhook.start()

    assert decided(stored)["resources"] == {"app": {}}
