"""Builders and strategies of pods, and the cluster states they meet."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import CLASS, KEEP, SIZE
from stowplan.model.workload_class import Rollout, RolloutMode, WorkloadPolicy
from webhook.admission import decide
from webhook.limit_range import LimitItem, LimitRange
from webhook.quota import Quota, Scope
from webhook.review import AdmissionRequest
from webhook.state import BUILTIN_PRIORITY_CLASSES, ClusterState
from webhook.verdict import Verdict

GIB = 2**30
MIB = 2**20
NAMESPACE = "shop"


def container(
    name: str = "app",
    requests: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A container; without numbers it has no `resources` at all."""
    resources = {k: dict(v) for k, v in (("requests", requests), ("limits", limits)) if v is not None}
    return {"name": name, "image": f"{name}:1", **({"resources": resources} if resources else {}), **more}


def pod(
    *containers: dict[str, Any],
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    init: list[dict[str, Any]] | None = None,
    owner: tuple[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A pod as the API server sends it at CREATE: generateName, no namespace, Priority's defaults filled in."""
    metadata: dict[str, Any] = {"generateName": "web-abc-"}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owner:
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "uid": "u-1", "controller": True}
        ]
    body: dict[str, Any] = {"containers": list(containers) or [container()]}
    if init:
        body["initContainers"] = init
    defaults = {"schedulerName": "default-scheduler", "priority": 0, "preemptionPolicy": "PreemptLowerPriority"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**body, **defaults, **spec}}


def cluster(**changes: Any) -> ClusterState:
    """A cluster with stowplan installed: built-in classes, scheduler alive, three zones."""
    known: dict[str, Any] = {"priority_classes": BUILTIN_PRIORITY_CLASSES, "scheduler_alive": True, "zones": 3}
    return ClusterState(**{**known, **changes})


def with_limit_range(*items: LimitItem, **changes: Any) -> ClusterState:
    """A cluster whose namespace has one LimitRange."""
    return cluster(limit_ranges={NAMESPACE: (LimitRange("limits", items),)}, **changes)


def admit(received: Mapping[str, Any], state: ClusterState | None = None) -> Verdict:
    """The verdict on a CREATE of the pod in `NAMESPACE`."""
    return decide(AdmissionRequest(received, NAMESPACE, uid="u-1"), state or cluster())


def resources(verdict: Verdict, index: int = 0, list_name: str = "containers") -> dict[str, Any]:
    """The `resources` of a container after the patch."""
    assert verdict.pod is not None, verdict
    found: dict[str, Any] = verdict.pod["spec"][list_name][index].get("resources", {})
    return found


_QUANTITIES = {
    "cpu": st.sampled_from(["1m", "25m", "100m", "0.25", "500m", "1", "1500m", "2e0", "4", "0"]),
    "memory": st.sampled_from(["1", "64Mi", "128e6", "256Mi", "1Gi", "1.5Gi", "2G", "4Gi", "16Gi", "0"]),
}


@st.composite
def resource_blocks(draw: st.DrawFn) -> dict[str, Any]:
    """A container's resources as the API server sends them: any of CPU and memory, a missing request copied from the limit."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for resource, quantities in _QUANTITIES.items():
        shape = draw(st.sampled_from(["none", "request", "limit", "both"]))
        value = draw(quantities)
        if shape in ("request", "both", "limit"):
            requests[resource] = value
        if shape in ("limit", "both"):
            limits[resource] = value
    if draw(st.integers(0, 4)) == 0:
        requests["nvidia.com/gpu"] = limits["nvidia.com/gpu"] = "1"
    empty_blocks = draw(st.booleans())
    return {k: v for k, v in (("requests", requests), ("limits", limits)) if v or empty_blocks}


def _metadata() -> st.SearchStrategy[tuple[dict[str, str], dict[str, str]]]:
    """Any mix of stowplan's labels and annotations, right and wrong ones."""
    classes = [*BUILTIN_CLASSES, "standard.r1", "standard.r9", "nonsense", ""]
    words = {
        CLASS: classes,
        SIZE: ["auto", "xs", "l", "4xl", "huge"],
        "stowplan.dev/shape": ["general", "cpu", "memory"],
        "stowplan.dev/latency": ["tight", "relaxed"],
        "stowplan.dev/cost": ["save", "safe"],
        "stowplan.dev/spread": ["zone", "host", "pack"],
        "stowplan.dev/mode": ["observe", "apply"],
        "app": ["web"],
    }
    notes = {
        KEEP: ["size", "limits", "priority,spread", "placement, nonsense"],
        "stowplan.dev/cpu-min": ["200m", "9", "x"],
        "stowplan.dev/cpu-max": ["300m", "2"],
        "stowplan.dev/memory-max": ["256Mi", "1Gi"],
        "c0.containers.stowplan.dev/policy": ["fixed", "auto"],
        "stowplan.dev/runtime": ["jvm", "native", "cobol"],
        "stowplan.dev/hpa": ["hold", "allow", "x"],
        "stowplan.dev/override-expires": ["2026-01-31", "2999-01-31", "soon"],
        "stowplan.dev/override-reason": ["the mesh team owns it"],
        "status.stowplan.dev/why": ["because I say so"],
        "note": ["kept"],
    }
    return st.tuples(_any_of(words), _any_of(notes))


def _any_of(values: dict[str, list[str]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(found) for key, found in values.items()})


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    """Pods that the API server would send, with any mix of stowplan's labels and annotations."""
    heaps = st.sampled_from(
        [
            ("A", "b"),
            ("JAVA_TOOL_OPTIONS", "-Xmx900m"),
            ("GOMEMLIMIT", "3GiB"),
            ("NODE_OPTIONS", "--max-old-space-size=9"),
        ]
    )
    apps = [
        container(
            f"c{i}", resources=draw(resource_blocks()), env=[dict(zip(("name", "value"), draw(heaps), strict=True))]
        )
        for i in range(draw(st.integers(1, 3)))
    ]
    inits = [
        container(
            f"i{i}",
            resources=draw(resource_blocks()),
            restartPolicy=draw(st.sampled_from(["Always", None])),
        )
        for i in range(draw(st.integers(0, 2)))
    ]
    labels, annotations = draw(_metadata())
    owners = [None, ("ReplicaSet", "web-abc"), ("DaemonSet", "agent"), ("Job", "encode-29000000")]
    spec = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "nodeName": st.just("n1"),
                "schedulerName": st.sampled_from(["default-scheduler", "own"]),
                "affinity": st.sampled_from([{}, {"nodeAffinity": {}}, {"podAntiAffinity": {}}]),
                "topologySpreadConstraints": st.just([]),
                "resources": st.just({"requests": {"cpu": "1"}}),
                "overhead": st.just({"cpu": "10m"}),
            },
        )
    )
    return pod(*apps, labels=labels, annotations=annotations, init=inits, owner=draw(st.sampled_from(owners)), **spec)


@st.composite
def limit_items(draw: st.DrawFn) -> LimitItem:
    """LimitRange entries, also ones that no pod can satisfy."""
    optional = st.fixed_dictionaries(
        {}, optional={"cpu": st.sampled_from([100, 400, 2000]), "memory": st.sampled_from([MIB, 512 * MIB, 4 * GIB])}
    )
    return LimitItem(
        type=draw(st.sampled_from(["Container", "Pod"])),
        minimum=draw(optional),
        maximum=draw(optional),
        ratio=draw(st.fixed_dictionaries({}, optional={"memory": st.sampled_from([Fraction(1), Fraction(3, 2)])})),
    )


@st.composite
def clusters(draw: st.DrawFn) -> ClusterState:
    """Cluster states with any policy, LimitRange and quota in the pod's namespace."""
    policies = st.sampled_from(
        [
            {},
            {NAMESPACE: WorkloadPolicy(NAMESPACE, "batch", ("batch", "elastic"))},
            {NAMESPACE: WorkloadPolicy(NAMESPACE, max_cpu_per_pod=600, max_memory_per_pod=GIB)},
            {NAMESPACE: WorkloadPolicy(NAMESPACE, rollout=Rollout(RolloutMode.CANARY, 50))},
            {NAMESPACE: WorkloadPolicy(NAMESPACE, "batch", gate=True)},
        ]
    )
    quotas = st.sampled_from(
        [
            (),
            (Quota("q", {"requests.cpu": 1000, "limits.memory": 4 * GIB}, {"requests.cpu": 900}),),
            (Quota("p", {"pods": 1}, {"pods": 1}, (Scope("PriorityClass", "In", ("stowplan-standard",)),)),),
            (Quota("b", {"pods": 5}, {"pods": 5}, (Scope("NotBestEffort"),)),),
        ]
    )
    return cluster(
        policies=draw(policies),
        limit_ranges={
            NAMESPACE: tuple(LimitRange(f"r{i}", (draw(limit_items()),)) for i in range(draw(st.integers(0, 2))))
        },
        quotas={NAMESPACE: draw(quotas)},
        scheduler_alive=draw(st.booleans()),
        ungater_alive=draw(st.booleans()),
        replicas={(NAMESPACE, "ReplicaSet", "web-abc"): draw(st.sampled_from([1, 3, 200]))},
        zones=draw(st.sampled_from([0, 1, 3])),
    )
