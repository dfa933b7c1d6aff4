"""Priority, scheduler, spread, capacity; and whose pods they do not touch."""

from dataclasses import replace
from typing import Any

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import Rollout, RolloutMode
from tests.support.pods import NAMESPACE, admit, cluster, container, pod
from webhook.state import BUILTIN_PRIORITY_CLASSES, ClusterState, PriorityClass

_OWNER = ("ReplicaSet", "web-abc")
_APP = {"app": "web"}


def _spec(received: dict[str, Any], state: ClusterState | None = None) -> dict[str, Any]:
    verdict = admit(received, state)
    assert verdict.pod is not None, verdict
    found: dict[str, Any] = verdict.pod["spec"]
    return found


def _replicas(count: int, **more: Any) -> ClusterState:
    return cluster(replicas={(NAMESPACE, *_OWNER): count}, **more)


def test_priority_value_and_policy_are_set_together() -> None:
    spec = _spec(pod(labels={"stowplan.dev/class": "batch"}))

    assert (spec["priorityClassName"], spec["priority"], spec["preemptionPolicy"]) == (
        "stowplan-batch",
        30_000,
        "Never",
    )


@pytest.mark.parametrize(
    ("own", "expected"), [("cheap-default", "stowplan-standard"), ("chosen", "chosen"), ("unknown", "unknown")]
)
def test_only_the_clusters_default_priority_is_replaced(own: str, expected: str) -> None:
    known = {
        **BUILTIN_PRIORITY_CLASSES,
        "cheap-default": PriorityClass("cheap-default", 5, global_default=True),
        "chosen": PriorityClass("chosen", 7),
    }

    spec = _spec(pod(priorityClassName=own, priority=5), cluster(priority_classes=known))

    assert spec["priorityClassName"] == expected


def test_a_missing_priority_class_is_left_out_and_recorded() -> None:
    verdict = admit(pod(), cluster(priority_classes={}))

    assert verdict.pod is not None
    assert "priorityClassName" not in verdict.pod["spec"]
    assert "PriorityClassMissing" in verdict.pod["metadata"]["annotations"]["status.stowplan.dev/decision"]


@pytest.mark.parametrize(
    ("received", "alive", "expected"),
    [
        (pod(), True, "stowplan-scheduler"),
        (pod(), False, "default-scheduler"),
        (pod(schedulerName="own"), True, "own"),
        (pod(owner=("DaemonSet", "agent")), True, "default-scheduler"),
        (pod(nodeName="n1"), True, "default-scheduler"),
        (pod(annotations={"stowplan.dev/keep": "placement"}), True, "default-scheduler"),
    ],
)
def test_our_scheduler_is_named_only_where_it_can_and_may_place(received: Any, expected: str, *, alive: bool) -> None:
    assert _spec(received, cluster(scheduler_alive=alive))["schedulerName"] == expected


@pytest.mark.parametrize(
    ("class_name", "replicas", "zones", "expected"),
    [
        # (topology key, skew, hard); critical is hard from 3 replicas and 2 zones on
        ("critical", 20, 3, [("zone", 1, True), ("hostname", 6, False)]),  # 20 // 3 = 6
        ("critical", 2, 3, [("zone", 1, False), ("hostname", 1, False)]),
        ("critical", 20, 1, [("zone", 1, False), ("hostname", 6, False)]),
        ("standard", 1, 3, [("zone", 1, False)]),
        ("standard", 1000, 3, [("zone", 1, False), ("hostname", 48, False)]),  # 333, at most 48
        ("batch", 20, 3, []),
    ],
)
def test_spread_by_class_replicas_and_zones(
    class_name: str, replicas: int, zones: int, expected: list[tuple[str, int, bool]]
) -> None:
    received = pod(labels={**_APP, "stowplan.dev/class": class_name}, owner=_OWNER)

    found = _spec(received, _replicas(replicas, zones=zones)).get("topologySpreadConstraints", [])

    assert [
        (c["topologyKey"].rpartition("/")[2], c["maxSkew"], c["whenUnsatisfiable"] == "DoNotSchedule") for c in found
    ] == expected


def test_unknown_replicas_mean_a_soft_zone_spread_only() -> None:
    found = _spec(pod(labels={**_APP, "stowplan.dev/class": "critical"}))["topologySpreadConstraints"]

    assert [(c["topologyKey"], c["whenUnsatisfiable"]) for c in found] == [
        ("topology.kubernetes.io/zone", "ScheduleAnyway")
    ]


@pytest.mark.parametrize(
    ("asked", "keys"),
    [("zone", ["zone"]), ("host", ["hostname"]), ("pack", []), ("auto", ["zone", "hostname"])],
)
def test_the_spread_label_decides(asked: str, keys: list[str]) -> None:
    received = pod(labels={**_APP, "stowplan.dev/spread": asked}, owner=_OWNER)

    found = _spec(received, _replicas(6)).get("topologySpreadConstraints", [])

    assert [c["topologyKey"].rpartition("/")[2] for c in found] == keys


@pytest.mark.parametrize(
    "received",
    [
        pod(),  # no label says which pods belong together
        pod(labels=_APP, annotations={"stowplan.dev/keep": "spread"}),
        pod(labels=_APP, owner=("DaemonSet", "agent")),
    ],
)
def test_no_spread_without_identity_or_consent(received: dict[str, Any]) -> None:
    assert "topologySpreadConstraints" not in _spec(received)


def test_the_pods_own_spread_stands() -> None:
    own = [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}]

    assert _spec(pod(labels=_APP, topologySpreadConstraints=own))["topologySpreadConstraints"] == own


@pytest.mark.parametrize(
    ("labels", "selector"),
    [
        (
            {"app.kubernetes.io/name": "n", "app.kubernetes.io/instance": "i", "app": "a"},
            {"app.kubernetes.io/name": "n", "app.kubernetes.io/instance": "i"},
        ),
        ({"app": "a", "k8s-app": "k"}, {"app": "a"}),
        ({"k8s-app": "k", "pod-template-hash": "h"}, {"k8s-app": "k"}),
        ({"pod-template-hash": "h", "x": "y"}, {"pod-template-hash": "h"}),
        ({"job-name": "j"}, {"job-name": "j"}),
    ],
)
def test_identity_labels(labels: dict[str, str], selector: dict[str, str]) -> None:
    (constraint,) = _spec(pod(labels=labels))["topologySpreadConstraints"]

    assert constraint["labelSelector"] == {"matchLabels": selector}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"class": "standard"}, {"on-demand": 80, "spot": 20}),
        ({"class": "elastic"}, {"spot": 80, "on-demand": 20}),
        ({"class": "batch"}, {"spot": 100}),
        ({"class": "critical"}, {}),
        ({"class": "standard", "cost": "save"}, {"spot": 80, "on-demand": 20}),
        ({"class": "elastic", "cost": "safe"}, {"on-demand": 100}),
    ],
)
def test_capacity_is_preferred_never_required(labels: dict[str, str], expected: dict[str, int]) -> None:
    spec = _spec(pod(labels={f"stowplan.dev/{k}": v for k, v in labels.items()}))

    terms = spec.get("affinity", {}).get("nodeAffinity", {})
    assert set(terms) <= {"preferredDuringSchedulingIgnoredDuringExecution"}
    found = {
        term["preference"]["matchExpressions"][0]["values"][0]: term["weight"]
        for term in terms.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    }
    assert found == expected


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": {"karpenter.sh/capacity-type": "spot"}},
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "karpenter.sh/capacity-type", "operator": "Exists"}]}
                        ]
                    }
                }
            }
        },
    ],
)
def test_a_pod_that_speaks_of_capacity_itself_is_left_alone(spec: dict[str, Any]) -> None:
    assert _spec(pod(**spec)).get("affinity") == spec.get("affinity")


def test_a_users_own_preferences_come_before_ours() -> None:
    own = {"weight": 5, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [own]}}

    terms = _spec(pod(affinity=affinity))["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]

    assert terms[0] == own
    assert len(terms) == 3


def test_keep_priority() -> None:
    assert "priorityClassName" not in _spec(pod(annotations={"stowplan.dev/keep": "priority"}))


@pytest.mark.parametrize(
    ("rollout", "labels", "applied"),
    [
        (Rollout(RolloutMode.OBSERVE), {}, False),
        (Rollout(RolloutMode.OBSERVE), {"stowplan.dev/mode": "apply"}, True),
        (Rollout(RolloutMode.APPLY), {"stowplan.dev/mode": "observe"}, False),
        (Rollout(RolloutMode.CANARY, 0), {}, False),
        (Rollout(RolloutMode.CANARY, 100), {}, True),
    ],
)
def test_rollout_and_mode(rollout: Rollout, labels: dict[str, str], *, applied: bool) -> None:
    classes = {"standard": replace(BUILTIN_CLASSES["standard"], rollout=rollout)}

    verdict = admit(pod(labels=labels), cluster(classes=classes))

    assert verdict.pod is not None
    assert ("resources" in verdict.pod["spec"]["containers"][0]) is applied
    assert ("observe only" in verdict.why) is not applied


def test_a_canary_is_sticky_per_workload_and_only_grows() -> None:
    """Pods of one Deployment share the outcome over rollouts, and whoever is in at 30 % is in at 60 %."""

    def share(percent: int) -> set[str]:
        canary = replace(BUILTIN_CLASSES["standard"], rollout=Rollout(RolloutMode.CANARY, percent))
        state = cluster(classes={"standard": canary})
        inside = set()
        for index in range(60):
            outcomes = set()
            for revision in ("aaa", "bbb"):
                labels = {"pod-template-hash": revision}
                received = pod(container(), labels=labels, owner=("ReplicaSet", f"web{index}-{revision}"))
                outcomes.add(str(admit(received, state).outcome))
            assert len(outcomes) == 1
            if outcomes == {"applied"}:
                inside.add(f"web{index}")
        return inside

    small, large = share(30), share(60)
    assert small < large
    assert 8 <= len(small) <= 28  # 30 % of 60 is 18; a fair hash stays within 2.8 standard deviations (3.5 each)
