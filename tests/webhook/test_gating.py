"""Which pods get the scheduling gate, and that nobody is gated whom nobody would release."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from prometheus_client import CollectorRegistry

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import DECISION, GATE, WHY
from stowplan.model.workload_class import WorkloadPolicy
from tests.support.pods import NAMESPACE, admit, cluster, clusters, pod, pods
from webhook.app import AdmissionService
from webhook.gating import Gate, gate_of
from webhook.state import ClusterState

BATCH = {"stowplan.dev/class": "batch"}
OURS = [{"name": GATE}]
KUEUE = [{"name": "kueue.x-k8s.io/admission"}]


def asking(**changes: Any) -> ClusterState:
    """A cluster in which the namespace asks for gates and somebody takes them away."""
    policies = {NAMESPACE: WorkloadPolicy(NAMESPACE, gate=True)}
    return cluster(**{"policies": policies, "ungater_alive": True, **changes})


def gates(received: dict[str, Any], state: ClusterState) -> Any:
    """The gates of the pod as it is created."""
    verdict = admit(received, state)
    assert verdict.pod is not None, verdict
    return verdict.pod["spec"].get("schedulingGates")


def record(received: dict[str, Any], state: ClusterState) -> Any:
    verdict = admit(received, state)
    assert verdict.pod is not None
    return json.loads(verdict.pod["metadata"]["annotations"][DECISION])


@pytest.mark.parametrize(
    ("workload_class", "held"),
    [("batch", True), ("dev", True), ("elastic", False), ("standard", False), ("critical", False)],
)
def test_pods_that_may_wait_are_held(workload_class: str, *, held: bool) -> None:
    received = pod(labels={"stowplan.dev/class": workload_class})

    assert gates(received, asking()) == (OURS if held else None)


@pytest.mark.parametrize(
    ("latency", "workload_class", "held"),
    # `tight` contradicts a class whose latency is relaxed, so it counts as normal
    [("relaxed", "standard", True), ("normal", "batch", False), ("tight", "batch", False)],
)
def test_the_pods_own_latency_counts(latency: str, workload_class: str, *, held: bool) -> None:
    labels = {"stowplan.dev/class": workload_class, "stowplan.dev/latency": latency}

    assert gates(pod(labels=labels), asking()) == (OURS if held else None)


@pytest.mark.parametrize(
    "received",
    [
        pod(labels=BATCH, schedulingGates=KUEUE),
        pod(labels=BATCH, schedulingGroup={"podGroupName": "g"}),
        pod(labels=BATCH, workloadRef={"name": "w"}),
        pod(labels=BATCH, schedulerName="volcano"),
        pod(labels=BATCH, nodeName="n1"),
        pod(labels=BATCH, owner=("DaemonSet", "agent")),
        pod(labels=BATCH, annotations={"stowplan.dev/keep": "placement"}),
    ],
    ids=["a queue", "a pod group", "a workload", "another scheduler", "a node", "a DaemonSet", "keep"],
)
def test_whose_placement_somebody_else_decides_is_not_held(received: dict[str, Any]) -> None:
    assert gates(received, asking()) == received["spec"].get("schedulingGates")


@pytest.mark.parametrize(
    "state",
    [
        asking(ungater_alive=False),
        asking(scheduler_alive=False),
        asking(policies={NAMESPACE: WorkloadPolicy(NAMESPACE)}),
        asking(policies={}),
    ],
    ids=["nobody ungates", "no scheduler", "not asked for", "no policy"],
)
def test_no_gate_unless_asked_for_and_somebody_takes_it_away(state: ClusterState) -> None:
    assert gates(pod(labels=BATCH), state) is None


def test_a_pod_that_names_our_scheduler_itself_is_held_too() -> None:
    assert gates(pod(labels=BATCH, schedulerName="stowplan-scheduler"), asking()) == OURS


def test_observe_writes_down_the_gate_and_does_not_add_it() -> None:
    received = pod(labels={**BATCH, "stowplan.dev/mode": "observe"})

    assert gates(received, asking()) is None
    assert record(received, asking())["effects"]["gate"] is True


def test_the_record_and_the_sentence_say_so() -> None:
    verdict = admit(pod(labels=BATCH), asking())
    assert verdict.pod is not None
    without = record(pod(labels=BATCH), asking(ungater_alive=False))

    assert record(pod(labels=BATCH), asking())["effects"]["gate"] is True
    assert "held by a gate until it is planned" in verdict.pod["metadata"]["annotations"][WHY]
    assert "gate" not in without["effects"]
    assert {"option": "gate", "why": "UngaterNotAlive"} in without["notChosen"]


def test_when_a_queue_gates_after_us_our_gate_is_taken_back() -> None:
    """Another webhook runs between our two calls."""
    state = asking()
    first = admit(pod(labels=BATCH), state)
    assert first.pod is not None
    queued = copy.deepcopy(dict(first.pod))
    queued["spec"]["schedulingGates"] = OURS + KUEUE

    assert gates(queued, state) == KUEUE


def test_when_the_ungater_dies_between_two_calls_the_gate_is_taken_back() -> None:
    first = admit(pod(labels=BATCH), asking())
    assert first.pod is not None

    assert gates(copy.deepcopy(dict(first.pod)), asking(ungater_alive=False)) is None


def test_gates_are_counted_by_what_became_of_them() -> None:
    registry = CollectorRegistry()
    states = [asking(), asking(), asking(ungater_alive=False), cluster()]
    service = AdmissionService(states.pop, registry)
    for _ in range(4):
        request = {"uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE"}
        request |= {"namespace": NAMESPACE, "object": pod(labels=BATCH)}
        service.review(
            json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
        )

    def count(outcome: str) -> float | None:
        return registry.get_sample_value("stowplan_admission_gates_total", {"outcome": outcome})

    assert (count("added"), count("ungater_not_alive"), count("none")) == (2, 1, None)


@given(pods(), clusters())
def test_law_a_gate_of_ours_means_that_all_conditions_hold(received: dict[str, Any], state: ClusterState) -> None:
    verdict = admit(received, state)
    assert verdict.pod is not None
    spec = verdict.pod["spec"]
    if GATE in [gate["name"] for gate in spec.get("schedulingGates") or ()]:
        assert state.ungater_alive
        assert state.policies[NAMESPACE].gate
        assert spec["schedulerName"] == "stowplan-scheduler"
        assert not spec.get("nodeName")
        assert verdict.gate is Gate.ADDED
    else:
        assert spec.get("schedulingGates") == received["spec"].get("schedulingGates")


def test_the_decision_alone() -> None:
    batch, policy = BUILTIN_CLASSES["batch"], WorkloadPolicy(NAMESPACE, gate=True)

    assert gate_of({}, batch, policy, ungater_alive=True) is Gate.ADDED
    assert gate_of({}, batch, policy, ungater_alive=False) is Gate.UNGATER_NOT_ALIVE
    assert gate_of({"schedulingGates": KUEUE}, batch, policy, ungater_alive=False) is Gate.NONE
    assert gate_of({}, batch, None, ungater_alive=True) is Gate.NONE
