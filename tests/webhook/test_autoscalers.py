"""HorizontalPodAutoscalers hold what they divide by; VerticalPodAutoscalers get all sizes.

The builder's profile recommends 150m and 320Mi; the cold start of standard is 500m and 2Gi.
"""

import json
from typing import Any

import msgspec
import pytest

from stowplan.model.keys import DECISION
from stowplan.model.reasons import Outcome, Reason
from stowplan.model.workload_class import Scaled, WorkloadPolicy
from tests.support.learned import NOW_S, profile, recommended, stored
from tests.support.pods import NAMESPACE, admit, cluster, container, pod, resources
from webhook.autoscalers import (
    HorizontalAutoscaler,
    VerticalAutoscaler,
    project_horizontal,
    project_vertical,
    scaling_of,
    vertical_of,
)
from webhook.containers import read_containers
from webhook.state import ClusterState

_KEY = (NAMESPACE, "Deployment", "web")
_OWN = {"cpu": "600m", "memory": "7Gi"}
_CONSENT = {"stowplan.dev/size": "auto"}


def metric(kind: str, resource: str, target: str = "Utilization", **more: str) -> dict[str, Any]:
    """One entry of `spec.metrics`."""
    key = kind[0].lower() + kind[1:]
    return {"type": kind, key: {"name": resource, "target": {"type": target, "averageUtilization": 80}, **more}}


def horizontal(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A HorizontalPodAutoscaler of the Deployment `web`."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    full = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 20, "metrics": list(metrics), **spec}
    return {"metadata": {"name": "web-hpa", "namespace": NAMESPACE}, "spec": full}


def vertical(mode: str | None, *policies: dict[str, Any]) -> dict[str, Any]:
    """A VerticalPodAutoscaler of the Deployment `web`."""
    spec: dict[str, Any] = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    if mode is not None:
        spec["updatePolicy"] = {"updateMode": mode}
    if policies:
        spec["resourcePolicy"] = {"containerPolicies": list(policies)}
    return {"metadata": {"name": "web-vpa", "namespace": NAMESPACE}, "spec": spec}


def scaled(*metrics: dict[str, Any], **changes: Any) -> ClusterState:
    """A cluster that knows profile and HorizontalPodAutoscaler of `web`."""
    found = project_horizontal(msgspec.json.encode(horizontal(*metrics)))
    assert found is not None
    side = recommended("mesh", 40)
    known = {"profiles": stored(profile(recommended(), side)), "now_s": NOW_S}
    return cluster(scaling={found.target: scaling_of((found.value,))}, **known, **changes)


def web(*containers: dict[str, Any], labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A pod of the Deployment `web`."""
    found = {"pod-template-hash": "abc", **(labels or {})}
    return pod(*containers, labels=found, owner=("ReplicaSet", "web-abc"), **more)


def record_of(found: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(found.pod["metadata"]["annotations"][DECISION])
    return read


@pytest.mark.parametrize(
    ("metrics", "resources_", "of_containers"),
    [
        ([metric("Resource", "cpu")], ("cpu",), ()),
        ([metric("Resource", "memory"), metric("Resource", "cpu")], ("cpu", "memory"), ()),
        ([metric("ContainerResource", "cpu", container="app")], (), (("app", "cpu"),)),
        ([], ("cpu",), ()),  # the API server's default
        ([metric("Resource", "cpu"), {"type": "External", "external": {"metric": {"name": "q"}}}], ("cpu",), ()),
    ],
)
def test_what_an_autoscaler_divides_by(metrics: list[Any], resources_: Any, of_containers: Any) -> None:
    found = project_horizontal(msgspec.json.encode(horizontal(*metrics)))

    assert found is not None
    assert (found.target, found.name) == (_KEY, "web-hpa")
    assert found.value == HorizontalAutoscaler("web-hpa", resources_, of_containers, 2, 20)


@pytest.mark.parametrize(
    "metrics",
    [
        [metric("Resource", "cpu", "AverageValue")],
        [metric("Resource", "nvidia.com/gpu")],
        [{"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value"}}}],
        [{"type": "Object", "object": {"metric": {"name": "queue"}}}, {"type": "Pods", "pods": {}}],
    ],
)
def test_autoscalers_that_read_no_request_hold_nothing(metrics: list[Any]) -> None:
    assert project_horizontal(msgspec.json.encode(horizontal(*metrics))) is None


def test_the_resource_that_is_divided_by_stays_as_the_template_has_it() -> None:
    verdict = admit(web(container(requests=_OWN), labels=_CONSENT), scaled(metric("Resource", "cpu")))

    assert resources(verdict)["requests"] == {"cpu": "600m", "memory": "320Mi"}
    assert record_of(verdict)["limitedBy"] == ["HPAHeld"]
    assert "cpu held for HorizontalPodAutoscaler web-hpa" in verdict.why


def test_where_nothing_else_is_to_be_sized_the_reason_says_so() -> None:
    both = scaled(metric("Resource", "cpu"), metric("Resource", "memory"))

    verdict = admit(web(container(requests=_OWN), labels=_CONSENT), both)

    assert (verdict.reason, resources(verdict)) == (Reason.HPA_HELD, {"requests": _OWN})
    assert record_of(verdict)["cpu"] == {"from": "600m", "ideal": "150m"}


def test_a_request_that_is_missing_is_set_once_to_a_size_that_stays() -> None:
    state = scaled(metric("Resource", "cpu"))

    verdict = admit(web(container(), container("mesh")), state)

    # the cold start's 500m and 100m, not the learned 150m and 40m, which would follow what the autoscaler does
    assert resources(verdict)["requests"] == {"cpu": "500m", "memory": "320Mi"}
    assert resources(verdict, 1)["requests"]["cpu"] == "100m"
    assert "cpu set once for HorizontalPodAutoscaler web-hpa, which needs a request" in verdict.why
    assert admit(verdict.pod or {}, state).reason is Reason.ALREADY_DECIDED


def test_a_metric_of_one_container_holds_that_container_only() -> None:
    received = web(container(requests=_OWN), container("mesh", requests=_OWN), labels=_CONSENT)

    verdict = admit(received, scaled(metric("ContainerResource", "cpu", container="mesh")))

    assert resources(verdict)["requests"]["cpu"] == "150m"
    assert resources(verdict, 1)["requests"]["cpu"] == "600m"


def test_a_sidecar_counts_and_an_init_container_does_not() -> None:
    own = {"requests": {"cpu": "1"}}
    init = [container("mesh", restartPolicy="Always", resources=own), container("setup", resources=own)]
    found = project_horizontal(msgspec.json.encode(horizontal(metric("Resource", "cpu"))))
    known = stored(profile(recommended(), recommended("mesh", 40), recommended("setup", 50)))
    assert found is not None
    state = cluster(scaling={found.target: scaling_of((found.value,))}, profiles=known, now_s=NOW_S)

    verdict = admit(web(container(requests=_OWN), init=init, labels=_CONSENT), state)

    assert resources(verdict, 0, "initContainers")["requests"]["cpu"] == "1"
    assert resources(verdict, 1, "initContainers")["requests"]["cpu"] == "50m"


def test_a_named_size_is_the_users_own_number() -> None:
    verdict = admit(web(labels={"stowplan.dev/size": "l"}), scaled(metric("Resource", "cpu")))

    assert (verdict.reason, resources(verdict)["requests"]["cpu"]) == (Reason.NAMED_SIZE, "1")


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        # 600m to 150m: four times the replicas, at most the autoscaler's 20
        (3, {"replicas": 3, "expected": 12}),
        (10, {"replicas": 10, "expected": 20}),
        (None, {}),
    ],
)
def test_a_change_that_is_allowed_tells_the_replicas(replicas: int | None, expected: dict[str, int]) -> None:
    counts = {} if replicas is None else {(NAMESPACE, "ReplicaSet", "web-abc"): replicas}
    received = web(container(requests=_OWN), labels=_CONSENT, annotations={"stowplan.dev/hpa": "allow"})

    verdict = admit(received, scaled(metric("Resource", "cpu"), replicas=counts))

    assert resources(verdict)["requests"]["cpu"] == "150m"
    change = {"autoscaler": "web-hpa", "resource": "cpu", "from": "600m", "to": "150m"}
    assert record_of(verdict)["replicas"] == [{**change, **expected}]
    told = "HorizontalPodAutoscaler web-hpa scales on cpu, which goes from 600m to 150m"
    counted = f", so about {expected['expected']} replicas instead of {replicas}" if expected else ""
    assert f"{told}{counted};" in verdict.why


@pytest.mark.parametrize(("own", "cpu"), [(None, "150m"), ("allow", "150m"), ("hold", "600m")])
def test_a_namespace_may_allow_it_and_the_pods_own_word_counts_before(own: str | None, cpu: str) -> None:
    annotations = {} if own is None else {"stowplan.dev/hpa": own}
    received = web(container(requests=_OWN), labels=_CONSENT, annotations=annotations)
    policies = {NAMESPACE: WorkloadPolicy(NAMESPACE, scaled=Scaled.ALLOW)}

    verdict = admit(received, scaled(metric("Resource", "cpu"), policies=policies))

    assert resources(verdict)["requests"]["cpu"] == cpu
    assert ("held for HorizontalPodAutoscaler" in verdict.why) is (own == "hold")


@pytest.mark.parametrize("mode", [None, "Auto", "Recreate", "Initial", "InPlaceOrRecreate"])
def test_a_vertical_autoscaler_gets_all_sizes(mode: str | None) -> None:
    found = project_vertical(msgspec.json.encode(vertical(mode)))
    assert found is not None
    state = cluster(verticals={found.target: vertical_of((found.value,))}, profiles=stored(profile()), now_s=NOW_S)

    verdict = admit(web(labels={"stowplan.dev/size": "l"}), state)

    assert (verdict.outcome, verdict.reason, resources(verdict)) == (Outcome.APPLIED, Reason.VPA_PRESENT, {})
    assert "the VerticalPodAutoscaler web-vpa sizes it" in verdict.why
    # everything but the sizes is still decided
    assert verdict.pod is not None
    assert verdict.pod["spec"]["priorityClassName"] == "stowplan-standard"


def vertically(*policies: dict[str, Any]) -> ClusterState:
    """A cluster that knows profile and VerticalPodAutoscaler of `web`."""
    found = project_vertical(msgspec.json.encode(vertical("Auto", *policies)))
    assert found is not None
    known = {"profiles": stored(profile(recommended(), recommended("mesh", 40))), "now_s": NOW_S}
    return cluster(verticals={found.target: vertical_of((found.value,))}, **known)


def test_a_resource_that_the_vertical_autoscaler_does_not_control_is_sized() -> None:
    state = vertically({"containerName": "*", "controlledResources": ["memory"]})
    verdict = admit(web(), state)

    assert resources(verdict) == {"requests": {"cpu": "150m"}}
    assert "memory left to the VerticalPodAutoscaler web-vpa" in verdict.why
    assert "VPAPresent" in record_of(verdict)["limitedBy"]

    written = admit(web(container(requests=_OWN), labels=_CONSENT), state)
    assert resources(written)["requests"] == {"cpu": "150m", "memory": "7Gi"}
    named = admit(web(labels={"stowplan.dev/size": "l"}), state)
    assert set(resources(named)["requests"]) == {"cpu"}


def test_a_container_that_the_vertical_autoscaler_leaves_out_is_sized_whole() -> None:
    # a policy that names the container comes before the one for all others
    state = vertically({"containerName": "*", "mode": "Auto"}, {"containerName": "mesh", "mode": "Off"})
    verdict = admit(web(container(), container("mesh")), state)

    assert resources(verdict) == {}
    assert resources(verdict, 1)["requests"]["cpu"] == "40m"


@pytest.mark.parametrize(
    ("policies", "left"),
    [
        ([], {"cpu", "memory"}),
        ([{"controlledResources": ["cpu"]}], {"cpu"}),  # no name: all containers
        ([{"containerName": "other", "mode": "Off"}], {"cpu", "memory"}),
        ([{"containerName": "app", "controlledResources": []}], set()),
        ([{"containerName": "app", "controlledResources": ["memory", "nvidia.com/gpu"]}], {"memory"}),
        ([{"containerName": "*", "mode": "Off"}, {"containerName": "app"}], {"cpu", "memory"}),
    ],
)
def test_what_a_vertical_autoscaler_controls_is_read_as_it_reads_it(
    policies: list[dict[str, Any]], left: set[str]
) -> None:
    found = project_vertical(msgspec.json.encode(vertical("Auto", *policies)))
    assert found is not None
    (app,) = read_containers(pod(container("app")))

    assert set(vertical_of((found.value,)).controlled(app)) == left


def test_of_several_vertical_autoscalers_each_has_what_it_controls_and_the_first_by_name_is_told() -> None:
    cpu, both = VerticalAutoscaler("a", of_others=("cpu",)), VerticalAutoscaler("b")
    (app,) = read_containers(pod(container("app")))

    assert vertical_of((cpu, both)).controlled(app) == {"cpu": "a", "memory": "b"}


def test_a_vertical_autoscaler_that_only_recommends_changes_nothing() -> None:
    assert project_vertical(msgspec.json.encode(vertical("Off"))) is None
    assert project_vertical(b'{"metadata": {"name": "v"}, "spec": {}}') is None
