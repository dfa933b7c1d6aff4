"""Learned sizes behind a real API server: a WorkloadProfile is written, the next pod has its size and says where it is from."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane import ControlPlane
from sandbox.manifests import manifests_dir
from sandbox.probe import wait_until
from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import object_name, profile_manifest
from tests.support.learned import profile, recommended, regression, risk
from tests.support.live_webhook import Webhook, create, installed
from tests.support.pods import container
from webhook.documents import read_text
from webhook.offline import mutate_documents, read_profiles, read_state

NAME = "learned-test-webhook"
LEARNED = {"requests": {"cpu": "150m", "memory": "320Mi"}, "limits": {"memory": "400Mi"}}
COLD = {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2560Mi"}}


@pytest.fixture(scope="module")
def webhook(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """With the definition of WorkloadProfile, and without those of the Vertical Pod Autoscaler."""
    definition = str(manifests_dir() / "crds" / "workloadprofiles.yaml")
    control_plane.kubectl("apply", "-f", definition)
    control_plane.kubectl("wait", "--for=condition=Established", "-f", definition, "--timeout=30s")
    with installed(control_plane, tmp_path_factory.mktemp("tls"), NAME) as running:
        yield running


@pytest.fixture
def shop(control_plane: ControlPlane, namespace: str, webhook: Webhook) -> str:
    """A namespace that has opted in, once a dry run shows that the webhook is called."""
    webhook.opt_in(namespace)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": [container()]}}

    def served() -> bool:
        return bool(create(control_plane, namespace, pod, "--dry-run=server")["metadata"].get("annotations"))

    wait_until("the webhook is called", served, interval_seconds=0.3)
    return namespace


def deployment(*containers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A Deployment `web` of one replica, whose pods never need to run."""
    template = {
        "metadata": {"labels": {"app": "web"}, **metadata},
        "spec": {"containers": list(containers) or [container()]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def publish(plane: ControlPlane, namespace: str, made: WorkloadProfile) -> None:
    """Write the profile as the recommender does: the object, then its status."""
    manifest = profile_manifest(replace(made, namespace=namespace, updated_s=int(time.time())))
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({k: v for k, v in manifest.items() if k != "status"}))
    status = json.dumps({"status": manifest["status"]})
    name = object_name(made.kind, made.name)
    plane.kubectl("patch", "wprof", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", status)


def next_pod(plane: ControlPlane, namespace: str, ready: Callable[[Any], bool]) -> Any:
    """Delete the Deployment's pods until one comes back as wanted; returns it."""
    found: list[Any] = []

    def made() -> bool:
        plane.kubectl("delete", "pods", "-l", "app=web", "-n", namespace, "--wait=true", "--grace-period=0", "--force")
        wait_until("a pod exists", lambda: bool(pods_of(plane, namespace)), interval_seconds=0.2)
        found[:] = pods_of(plane, namespace)
        return ready(found[0])

    wait_until("the next pod is as wanted", made, interval_seconds=0.5)
    return found[0]


def pods_of(plane: ControlPlane, namespace: str) -> list[Any]:
    items: list[Any] = plane.kubectl_json("get", "pods", "-l", "app=web", "-n", namespace)["items"]
    return [item for item in items if "deletionTimestamp" not in item["metadata"]]


def sizes(pod: Any) -> Any:
    return pod["spec"]["containers"][0]["resources"]


def why(pod: Any) -> str:
    text: str = pod["metadata"]["annotations"]["status.stowplan.dev/why"]
    return text


def reason(pod: Any) -> str:
    text: str = json.loads(pod["metadata"]["annotations"]["status.stowplan.dev/decision"])["reason"]
    return text


def test_a_profile_sizes_the_next_pod_and_says_where_the_size_is_from(
    control_plane: ControlPlane, shop: str, tmp_path: Path
) -> None:
    create(control_plane, shop, deployment())
    wait_until("a pod exists", lambda: bool(pods_of(control_plane, shop)), interval_seconds=0.2)
    assert sizes(pods_of(control_plane, shop)[0]) == COLD

    publish(control_plane, shop, profile(risk=risk()))
    pod = next_pod(control_plane, shop, lambda pod: sizes(pod) != COLD)

    assert sizes(pod) == LEARNED
    assert reason(pod) == "UsageSized"
    learned = json.loads(pod["metadata"]["annotations"]["status.stowplan.dev/decision"])["learned"]["app"]
    assert (learned["source"], learned["samples"], learned["savingUSDPerMonth"]) == ("usage", 20_160, "14.60")
    assert "learned from usage of 14 days, high confidence" in why(pod)
    # The same profile read from a file gives the same sizes and the same sentence about them.
    file = tmp_path / "profiles.json"
    listed = control_plane.kubectl_json("get", "wprof", "-n", shop)
    file.write_text(json.dumps(listed), encoding="utf-8")
    state = replace(read_state([]), profiles=read_profiles([str(file)]), now_s=int(time.time()))
    (offline,) = mutate_documents(read_text(json.dumps(deployment()), "test"), state, shop)
    assert offline.pod["spec"]["containers"][0]["resources"] == LEARNED
    assert why(pod).partition(";")[0] == offline.why.partition(";")[0]


def test_a_step_back_leaves_written_numbers(control_plane: ControlPlane, shop: str) -> None:
    own = {"cpu": "300m", "memory": "1Gi"}
    agreed = {"labels": {"app": "web", "stowplan.dev/size": "auto"}}
    create(control_plane, shop, deployment(container(requests=own), **agreed))
    publish(control_plane, shop, profile())
    replaced = next_pod(control_plane, shop, lambda pod: sizes(pod) == LEARNED)
    assert reason(replaced) == "ExplicitOverridden"

    publish(control_plane, shop, replace(profile(), regression=regression(int(time.time()) + 3600)))
    halted = next_pod(control_plane, shop, lambda pod: reason(pod) == "RegressionHalt")

    assert sizes(halted)["requests"] == own
    assert "OOM kills rose from 0 to 3 a day" in why(halted)


def test_a_horizontal_autoscaler_holds_the_cpu(control_plane: ControlPlane, shop: str) -> None:
    own = {"cpu": "300m", "memory": "1Gi"}
    agreed = {"labels": {"app": "web", "stowplan.dev/size": "auto"}}
    create(control_plane, shop, deployment(container(requests=own), **agreed))
    publish(control_plane, shop, profile())
    next_pod(control_plane, shop, lambda pod: sizes(pod) == LEARNED)

    control_plane.kubectl("autoscale", "deployment", "web", "-n", shop, "--cpu-percent=80", "--min=1", "--max=5")
    held = next_pod(control_plane, shop, lambda pod: sizes(pod) != LEARNED)

    assert sizes(held)["requests"] == {"cpu": "300m", "memory": "320Mi"}
    assert "cpu held for HorizontalPodAutoscaler web" in why(held)
    control_plane.kubectl("delete", "hpa", "web", "-n", shop)
    assert sizes(next_pod(control_plane, shop, lambda pod: sizes(pod) == LEARNED)) == LEARNED


def vertical_definition() -> dict[str, Any]:
    """As much of the Vertical Pod Autoscaler's definition as its objects need to be stored."""
    names = {"kind": "VerticalPodAutoscaler", "plural": "verticalpodautoscalers", "singular": "verticalpodautoscaler"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    # Groups below k8s.io are approved by Kubernetes; the annotation names the pull request.
    approval = "https://github.com/kubernetes/kubernetes/pull/63797"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "verticalpodautoscalers.autoscaling.k8s.io",
            "annotations": {"api-approved.kubernetes.io": approval},
        },
        "spec": {
            "group": "autoscaling.k8s.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def test_a_vertical_autoscaler_whose_definition_comes_later_gets_the_sizes(
    control_plane: ControlPlane, shop: str
) -> None:
    create(control_plane, shop, deployment())
    publish(control_plane, shop, profile())
    next_pod(control_plane, shop, lambda pod: sizes(pod) == LEARNED)  # served without that definition

    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(vertical_definition()))
    crd = "customresourcedefinition/verticalpodautoscalers.autoscaling.k8s.io"
    control_plane.kubectl("wait", "--for=condition=Established", crd, "--timeout=180s")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    vpa = {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"targetRef": target, "updatePolicy": {"updateMode": "Initial"}},
    }
    create(control_plane, shop, vpa)
    left_alone = next_pod(control_plane, shop, lambda pod: reason(pod) == "VPAPresent")
    assert sizes(left_alone) == {}

    off = json.dumps({"spec": {"updatePolicy": {"updateMode": "Off"}}})
    control_plane.kubectl("patch", "verticalpodautoscaler", "web", "-n", shop, "--type=merge", "-p", off)
    assert sizes(next_pod(control_plane, shop, lambda pod: sizes(pod) == LEARNED)) == LEARNED
    control_plane.kubectl("delete", crd)


def test_sidecars_have_sizes_of_their_own(control_plane: ControlPlane, shop: str) -> None:
    made = deployment()
    made["spec"]["template"]["spec"]["initContainers"] = [container("mesh", restartPolicy="Always")]
    create(control_plane, shop, made)
    publish(control_plane, shop, profile(recommended(), recommended("mesh", 35, 96 * 2**20)))

    pod = next_pod(control_plane, shop, lambda pod: sizes(pod) == LEARNED)

    assert pod["spec"]["initContainers"][0]["resources"]["requests"] == {"cpu": "35m", "memory": "96Mi"}
