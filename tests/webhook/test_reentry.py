"""Pods that carry our output keys: our own decision comes back, or a user wrote there."""

import copy
import json
from typing import Any

import pytest

from stowplan.model.keys import DECISION, WHY
from stowplan.model.reasons import Outcome, Reason
from tests.support.pods import admit, cluster, container, pod, resources
from webhook.decision import MAX_BYTES

_WARNING = "only stowplan writes status.stowplan.dev/ keys; dropped"


def _decided(received: dict[str, Any]) -> dict[str, Any]:
    verdict = admit(received)
    assert verdict.pod is not None
    return copy.deepcopy(dict(verdict.pod))


def test_our_own_decision_stands() -> None:
    again = admit(_decided(pod(labels={"app": "web"})))

    assert (again.outcome, again.reason, again.patch) == (Outcome.SKIPPED, Reason.ALREADY_DECIDED, ())


def test_what_another_webhook_changed_counts_as_the_users() -> None:
    changed = _decided(pod())
    changed["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "3"

    verdict = admit(changed)

    assert resources(verdict)["requests"] == {"cpu": "3", "memory": "2Gi"}
    assert verdict.warnings == ()


def test_a_changed_cluster_is_decided_afresh_from_what_the_user_sent() -> None:
    decided = _decided(pod(labels={"app": "web"}))

    verdict = admit(decided, cluster(priority_classes={}, scheduler_alive=False))

    assert verdict.pod is not None
    assert "priorityClassName" not in verdict.pod["spec"]
    assert verdict.pod["spec"]["priority"] == 0
    assert verdict.pod["spec"]["schedulerName"] == "default-scheduler"
    assert resources(verdict)["requests"]["cpu"] == "500m"


@pytest.mark.parametrize(
    "text", ["mine", "{}", "[]", '{"id": "d-1"}', '{"id": "d-1", "main": "app", "cpu": {"set": "1"}}']
)
def test_a_users_decision_is_dropped_with_a_warning(text: str) -> None:
    verdict = admit(pod(annotations={DECISION: text, "note": "kept"}))

    assert verdict.warnings == (f"{DECISION}: {_WARNING}",)
    assert verdict.pod is not None
    annotations = verdict.pod["metadata"]["annotations"]
    assert json.loads(annotations[DECISION])["reason"] == "ColdStart"
    assert annotations["note"] == "kept"


def test_a_decision_copied_from_another_workload_is_dropped_and_its_numbers_are_the_users() -> None:
    copied = _decided(pod(owner=("StatefulSet", "db")))
    copied["metadata"]["ownerReferences"][0]["name"] = "other"

    verdict = admit(copied)

    assert verdict.warnings
    assert verdict.reason is Reason.EXPLICIT_RESPECTED
    assert resources(verdict)["requests"] == {"cpu": "500m", "memory": "2Gi"}


def test_labels_with_our_output_prefix_are_dropped() -> None:
    verdict = admit(pod(labels={"status.stowplan.dev/why": "x", "app": "web"}))

    assert verdict.pod is not None
    assert verdict.pod["metadata"]["labels"] == {"app": "web"}
    assert verdict.warnings == (f"{WHY}: {_WARNING}",)


def test_a_record_of_many_containers_is_shortened_and_still_recognised() -> None:
    many = pod(*(container(f"a-container-with-a-rather-long-name-{i}") for i in range(40)))

    decided = _decided(many)
    record = decided["metadata"]["annotations"][DECISION]
    again = admit(decided)

    assert len(record.encode()) <= MAX_BYTES
    assert json.loads(record)["shortened"] is True
    assert (again.outcome, again.reason) == (Outcome.SKIPPED, Reason.ALREADY_DECIDED)


def test_a_shortened_record_that_does_not_match_is_a_user_write() -> None:
    decided = _decided(pod(*(container(f"a-container-with-a-rather-long-name-{i}") for i in range(40))))
    decided["spec"]["containers"][7]["resources"]["requests"]["cpu"] = "1"

    assert admit(decided).warnings
