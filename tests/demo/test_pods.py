"""The ledger of pods, fed with the JSON that a watch brings."""

from typing import Any

import msgspec
import pytest

from demo.pods import PodLedger, PodView, project
from demo.timeline import Timeline
from stowplan.kube.codec import ObjectKey
from tests.support.demo import node


class Clock:
    """Set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """The time set."""
        return self.now


def pod(*, node_name: str = "", phase: str = "Pending", refused: str = "", uid: str = "u1") -> PodView:
    spec: dict[str, Any] = {
        "containers": [
            {"name": "main", "resources": {"requests": {"cpu": "1500m", "memory": "1Gi"}}},
            {"name": "side", "resources": {"requests": {"cpu": "250m"}}},
            {"name": "bare"},
        ],
        "schedulerName": "stowplan-scheduler",
    }
    if node_name:
        spec["nodeName"] = node_name
    status: dict[str, Any] = {"phase": phase}
    if refused:
        status["conditions"] = [{"type": "PodScheduled", "status": "False", "message": refused}]
    metadata = {
        "name": "web-1",
        "uid": uid,
        "labels": {"demo.stowplan.dev/workload": "web", "stowplan.dev/class": "standard"},
        "annotations": {"status.stowplan.dev/why": "standard: kept"},
    }
    raw = msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status, "kind": "Pod"})
    return project(msgspec.Raw(raw))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> PodLedger:
    return PodLedger(Timeline({"n1": node("n1")}), clock)


def test_the_moments_of_a_pod_are_kept(ledger: PodLedger, clock: Clock) -> None:
    for now, seen in ((1.0, pod()), (2.0, pod(node_name="n1")), (3.0, pod(node_name="n1", phase="Running"))):
        clock.now = now
        ledger.upsert(seen)
        ledger.upsert(seen)  # a repeated event changes nothing

    (record,) = ledger.records.values()
    assert (record.created, record.bound, record.running) == (1.0, 2.0, 3.0)
    assert (record.workload, record.workload_class, record.why) == ("web", "standard", "standard: kept")
    assert (record.cpu_millicores, record.memory_bytes) == (1750, 2**30)
    assert ledger.timeline.points[-1].nodes == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_leaves_its_node(ledger: PodLedger, phase: str) -> None:
    ledger.upsert(pod(node_name="n1", phase="Running"))
    ledger.upsert(pod(node_name="n1", phase=phase))

    assert ledger.timeline.points[-1].nodes == 0
    assert len(ledger.records) == 1


def test_a_deleted_pod_leaves_its_node_and_stays_on_record(ledger: PodLedger) -> None:
    ledger.upsert(pod(node_name="n1"))
    ledger.delete(ObjectKey("demo", "web-1", "u1"))

    assert ledger.timeline.points[-1].nodes == 0
    assert ledger.records["u1"].bound is not None


def test_a_full_list_drops_what_vanished_meanwhile(ledger: PodLedger) -> None:
    ledger.upsert(pod(node_name="n1", uid="u1"))
    ledger.replace([pod(node_name="n1", uid="u2")])

    assert set(ledger.timeline.residents) == {"u2"}
    assert set(ledger.records) == {"u1", "u2"}


def test_the_scheduler_s_last_word_is_kept_until_there_is_a_node(ledger: PodLedger) -> None:
    ledger.upsert(pod(refused="0/1 nodes are available"))
    ledger.upsert(pod())
    assert ledger.records["u1"].refused == "0/1 nodes are available"

    ledger.upsert(pod(node_name="n1"))
    assert ledger.records["u1"].refused == ""
