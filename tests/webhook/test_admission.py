"""Whose pods are ours, and what happens on doubt."""

from typing import Any

import pytest

from stowplan.model.reasons import Outcome, Reason
from tests.support.pods import NAMESPACE, admit, cluster, container, pod
from webhook.admission import decide
from webhook.containers import Container
from webhook.recommendation import Recommendation
from webhook.review import AdmissionRequest
from webhook.workload import Workload, identify


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (AdmissionRequest(pod(), NAMESPACE, operation="UPDATE"), Reason.NOT_A_POD_CREATE),
        (AdmissionRequest(pod(), NAMESPACE, kind="Service"), Reason.NOT_A_POD_CREATE),
        (AdmissionRequest(pod(), NAMESPACE, subresource="eviction"), Reason.NOT_A_POD_CREATE),
        (AdmissionRequest(pod(annotations={"kubernetes.io/config.mirror": "x"}), NAMESPACE), Reason.MIRROR_POD),
        (AdmissionRequest(pod(owner=("Node", "n1")), NAMESPACE), Reason.MIRROR_POD),
        (AdmissionRequest(pod(labels={"stowplan.dev/mode": "off"}), NAMESPACE), Reason.MODE_OFF),
        (AdmissionRequest(pod(labels={"stowplan.dev/inject": "disabled"}), NAMESPACE), Reason.INJECT_DISABLED),
    ],
)
def test_requests_that_are_not_ours(request_: AdmissionRequest, reason: Reason) -> None:
    verdict = decide(request_, cluster())

    assert (verdict.outcome, verdict.reason, verdict.patch) == (Outcome.SKIPPED, reason, ())


def test_an_unsynced_view_decides_nothing() -> None:
    assert admit(pod(), cluster(synced=False)).reason is Reason.NOT_SYNCED


def test_a_pod_that_would_be_refused_anyway_is_left_to_the_api_server() -> None:
    verdict = admit(pod(container(requests={"memory": "2Gi"}, limits={"memory": "1Gi"})))

    assert (verdict.outcome, verdict.reason, verdict.patch) == (Outcome.ERROR, Reason.INVALID_POD, ())
    assert "spec.containers[0].resources.requests.memory" in verdict.why


def test_a_fault_of_ours_is_allowed_without_a_patch_and_handed_to_the_log() -> None:
    class Broken:
        def recommend(self, _workload: Workload, _container: Container, _class: Any) -> Recommendation | None:
            raise ZeroDivisionError("broken")

    verdict = decide(AdmissionRequest(pod(), NAMESPACE), cluster(), Broken())

    assert (verdict.outcome, verdict.reason, verdict.patch) == (Outcome.ERROR, Reason.INTERNAL, ())
    assert isinstance(verdict.fault, ZeroDivisionError)


def test_a_recommendation_that_knows_nothing_leaves_the_container_alone() -> None:
    class Silent:
        def recommend(self, _workload: Workload, _container: Container, _class: Any) -> Recommendation | None:
            return None

    verdict = decide(AdmissionRequest(pod(), NAMESPACE), cluster(), Silent())

    assert verdict.pod is not None
    assert "resources" not in verdict.pod["spec"]["containers"][0]


def test_the_first_reason_is_the_one_that_surprises() -> None:
    verdict = admit(pod(labels={"stowplan.dev/class": "nonsense"}))

    assert (verdict.outcome, verdict.reason) == (Outcome.APPLIED, Reason.UNKNOWN_CLASS)
    assert all(len(warning) <= 120 for warning in verdict.warnings)


@pytest.mark.parametrize(
    ("received", "kind", "name"),
    [
        (pod(owner=("ReplicaSet", "web-abc"), labels={"pod-template-hash": "abc"}), "Deployment", "web"),
        (pod(owner=("ReplicaSet", "web-abc")), "ReplicaSet", "web-abc"),
        (pod(owner=("Job", "nightly-29123456")), "CronJob", "nightly"),
        (pod(owner=("Job", "encode")), "Job", "encode"),
        (pod(owner=("StatefulSet", "db")), "StatefulSet", "db"),
        (pod(), "Pod", "web-abc"),
    ],
)
def test_a_workload_outlives_its_revisions(received: dict[str, Any], kind: str, name: str) -> None:
    found = identify(received, NAMESPACE)

    assert (found.kind, found.name) == (kind, name)
