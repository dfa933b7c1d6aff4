"""Laws of admission that hold for every pod in every namespace."""

import copy
from typing import Any

import jsonpatch
from hypothesis import event, given
from hypothesis import strategies as st

from stowplan.model.keys import HPA, SIZE, STATUS_PREFIX
from stowplan.model.reasons import Outcome, Reason
from stowplan.model.resources import container_amounts
from tests.support.learned import learned_clusters
from tests.support.pods import NAMESPACE, admit, pods
from webhook.admission import decide
from webhook.autoscalers import NO_SCALING
from webhook.containers import read_containers
from webhook.limit_range import violations
from webhook.qos import qos_of
from webhook.quota import quota_violations
from webhook.review import AdmissionRequest
from webhook.state import ClusterState
from webhook.workload import identify


@given(pods(), learned_clusters())
def test_a_generated_pod_is_decided_and_never_a_fault(received: dict[str, Any], state: ClusterState) -> None:
    verdict = admit(received, state)

    event(f"{verdict.outcome}/{verdict.reason}")
    assert verdict.fault is None
    assert verdict.outcome in (Outcome.APPLIED, Outcome.OBSERVED)
    assert all(len(warning) <= 120 for warning in verdict.warnings)


@given(pods(), learned_clusters())
def test_the_patch_applies_and_gives_the_decided_pod(received: dict[str, Any], state: ClusterState) -> None:
    before = copy.deepcopy(received)

    verdict = admit(received, state)

    assert received == before
    assert jsonpatch.apply_patch(received, list(verdict.patch)) == verdict.pod


@given(pods(), learned_clusters())
def test_a_second_review_changes_nothing(received: dict[str, Any], state: ClusterState) -> None:
    first = admit(received, state)
    assert first.pod is not None

    second = admit(first.pod, state)

    assert (second.outcome, second.reason) == (Outcome.SKIPPED, Reason.ALREADY_DECIDED)
    assert second.patch == ()


@given(pods(), learned_clusters())
def test_a_container_injected_in_between_changes_nothing_of_ours(received: dict[str, Any], state: ClusterState) -> None:
    first = admit(received, state)
    assert first.pod is not None
    injected = copy.deepcopy(dict(first.pod))
    injected["spec"]["containers"].append({"name": "mesh", "image": "m", "resources": {"requests": {"cpu": "1m"}}})
    afresh = copy.deepcopy(received)
    afresh["spec"]["containers"].append({"name": "mesh", "image": "m", "resources": {"requests": {"cpu": "1m"}}})

    again, direct = admit(injected, state), admit(afresh, state)

    # What another webhook added is decided as if it had been there from the start.
    assert (again.pod or injected)["spec"] == (direct.pod or afresh)["spec"]


@given(pods(), learned_clusters())
def test_nothing_is_made_worse(received: dict[str, Any], state: ClusterState) -> None:
    verdict = admit(received, state)
    assert verdict.pod is not None
    before, after = received["spec"], verdict.pod["spec"]

    ranges, quotas = state.limit_ranges[NAMESPACE], state.quotas[NAMESPACE]
    assert violations(after, ranges) <= violations(before, ranges)
    assert quota_violations(after, quotas) <= quota_violations(before, quotas)
    assert qos_of(after) >= qos_of(before)
    for container in [*after["containers"], *after.get("initContainers", [])]:
        limits = container_amounts(container, "limits")
        for resource, request in container_amounts(container).items():
            assert request <= limits.get(resource, request)


@given(pods(), learned_clusters())
def test_what_an_autoscaler_divides_by_never_moves(received: dict[str, Any], state: ClusterState) -> None:
    received["metadata"].setdefault("labels", {}).pop(SIZE, None)  # a named size is the user's own number
    received["metadata"].setdefault("annotations", {}).pop(HPA, None)
    scaling = state.scaling.get(identify(received, NAMESPACE).key, NO_SCALING)

    verdict = admit(received, state)

    assert verdict.pod is not None
    for before, after in zip(read_containers(received), read_containers(verdict.pod), strict=True):
        for resource, request in before.requests.items():
            if scaling.dividing_by(resource, before) is not None:
                assert after.requests[resource] == request


@given(pods(), learned_clusters())
def test_only_sizes_scheduling_and_status_change(received: dict[str, Any], state: ClusterState) -> None:
    verdict = admit(received, state)
    assert verdict.pod is not None

    assert _rest(received) == _rest(dict(verdict.pod))


@given(pods(), learned_clusters())
def test_observing_writes_annotations_only(received: dict[str, Any], state: ClusterState) -> None:
    received["metadata"].setdefault("labels", {})["stowplan.dev/mode"] = "observe"

    verdict = admit(received, state)

    assert verdict.outcome is Outcome.OBSERVED
    assert all(operation["path"].startswith("/metadata/annotations") for operation in verdict.patch)


_KEYS = (
    *("metadata", "spec", "containers", "name", "resources", "requests", "limits", "cpu", "annotations", "labels"),
    *("ownerReferences", "affinity", "nodeAffinity", "initContainers", "status.stowplan.dev/decision"),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["1Gi", "app", "Always"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_KEYS) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "kind"]), _JSON, max_size=3), learned_clusters())
def test_arbitrary_json_is_allowed_without_a_fault(received: dict[str, Any], state: ClusterState) -> None:
    verdict = decide(AdmissionRequest(received, NAMESPACE), state)

    event(f"{verdict.outcome}/{verdict.reason}")
    assert verdict.fault is None
    if verdict.outcome in (Outcome.ERROR, Outcome.SKIPPED):
        assert verdict.patch == ()


def _rest(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod without what stowplan owns; written apart from the product's own check on purpose."""
    rest = copy.deepcopy(pod)
    annotations = rest["metadata"].pop("annotations", {})
    rest["metadata"]["annotations"] = {k: v for k, v in annotations.items() if not k.startswith(STATUS_PREFIX)}
    spec = rest["spec"]
    for key in ("priority", "priorityClassName", "preemptionPolicy", "topologySpreadConstraints"):
        spec.pop(key, None)
    if spec.get("schedulerName") in ("default-scheduler", "stowplan-scheduler"):
        del spec["schedulerName"]
    gates = [gate for gate in spec.pop("schedulingGates", []) if gate["name"] != "stowplan.dev/plan"]
    if gates:
        spec["schedulingGates"] = gates
    nodes = spec.get("affinity", {}).get("nodeAffinity", {})
    nodes.pop("preferredDuringSchedulingIgnoredDuringExecution", None)
    if not nodes:
        spec.get("affinity", {}).pop("nodeAffinity", None)
    if not spec.get("affinity"):
        spec.pop("affinity", None)
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        for kind in ("requests", "limits"):
            block = container.get("resources", {}).pop(kind, {})
            container[kind] = {k: v for k, v in block.items() if k not in ("cpu", "memory")}
        container.pop("resources", None)
    return rest
