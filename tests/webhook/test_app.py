"""The HTTP side: golden reviews, metrics, deadlines, bodies nobody should send."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry

from stowplan.serving.direct import Call
from tests.support.direct import serving_directly
from tests.support.learned import NOW_S
from tests.support.pods import NAMESPACE, cluster, pod
from webhook.app import AdmissionService, budget_of, parse_budget
from webhook.offline import read_profiles, read_state

_GOLDEN = Path(__file__).parents[1] / "golden" / "admission"


def _review(received: Any, **request: Any) -> bytes:
    asked = {
        "uid": "705ab4f5",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "namespace": NAMESPACE,
        "operation": "CREATE",
        "object": received,
        **request,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}).encode()


def _service(registry: CollectorRegistry | None = None, **state: Any) -> AdmissionService:
    return AdmissionService(lambda: cluster(**state), registry or CollectorRegistry())


def _count(registry: CollectorRegistry, outcome: str, reason: str) -> float:
    labels = {"outcome": outcome, "reason": reason}
    return registry.get_sample_value("stowplan_admission_reviews_total", labels) or 0.0


@pytest.mark.parametrize("name", sorted(path.stem.removesuffix(".request") for path in _GOLDEN.glob("*.request.json")))
def test_golden_reviews(name: str) -> None:
    """What is answered to a recorded review, with the patch decoded. Written by hand or checked by eye, never regenerated blindly."""
    request = (_GOLDEN / f"{name}.request.json").read_bytes()
    replicas = {("shop", "ReplicaSet", "checkout-6d4cf56db6"): 10}
    known = {
        part: [str(path)] for part in ("cluster", "profiles") if (path := _GOLDEN / f"{name}.{part}.json").exists()
    }
    state = replace(
        read_state(known.get("cluster", ())),
        profiles=read_profiles(known.get("profiles", ())),
        now_s=NOW_S,
        replicas=replicas,
    )

    status, body = AdmissionService(lambda: state, CollectorRegistry()).review(request)

    answer = json.loads(body)
    if "patch" in answer["response"]:
        answer["response"]["patch"] = json.loads(base64.b64decode(answer["response"]["patch"]))
    assert status == 200
    assert answer == json.loads((_GOLDEN / f"{name}.response.json").read_text(encoding="utf-8"))


def test_there_are_golden_reviews() -> None:
    assert len(list(_GOLDEN.glob("*.request.json"))) >= 4


async def test_a_review_over_http_is_counted_and_timed() -> None:
    registry = CollectorRegistry()
    async with serving_directly(_service(registry), 100_000) as port, ClientSession() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/mutate?timeout=2s", data=_review(pod()))
        body = await answer.json()

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert body["response"]["uid"] == "705ab4f5"
    assert body["response"]["allowed"] is True
    assert body["response"]["patchType"] == "JSONPatch"
    assert _count(registry, "applied", "ColdStart") == 1
    assert registry.get_sample_value("stowplan_admission_duration_seconds_count") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}',
        b'{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u"}}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_review_is_a_counted_400(body: bytes) -> None:
    registry = CollectorRegistry()

    status, _ = _service(registry).review(body)

    assert status == 400
    assert _count(registry, "error", "Unreadable") == 1


@pytest.mark.parametrize("received", [None, 5, "pod", [], {}, {"spec": {"containers": "none"}}])
def test_whatever_has_a_uid_is_allowed_without_a_patch(received: Any) -> None:
    registry = CollectorRegistry()

    status, body = _service(registry).review(_review(received))

    assert status == 200
    assert json.loads(body)["response"] == {"uid": "705ab4f5", "allowed": True}
    assert _count(registry, "error", "InvalidPod") == 1


@pytest.mark.parametrize(
    "metadata", [{"managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]}, {"managedFields": None}]
)
def test_who_manages_which_field_makes_no_difference(metadata: dict[str, Any]) -> None:
    service = _service()
    plain = pod(annotations={"note": "a"})
    managed = {**plain, "metadata": {**plain["metadata"], **metadata}}

    assert service.review(_review(managed)) == service.review(_review(plain))


def test_a_dry_run_gets_the_same_answer() -> None:
    service = _service()

    assert service.review(_review(pod(), dryRun=True)) == service.review(_review(pod()))


def test_with_the_deadline_near_the_answer_is_the_safe_one() -> None:
    now = [10.0]
    service = AdmissionService(cluster, CollectorRegistry(), clock=lambda: now[0])

    # Of 2 s, 80 % are gone 1.6 s after arrival.
    _, in_time = service.review(_review(pod()), 2.0, arrived=8.5)
    _, too_late = service.review(_review(pod()), 2.0, arrived=8.3)

    assert "patch" in json.loads(in_time)["response"]
    assert json.loads(too_late)["response"] == {"uid": "705ab4f5", "allowed": True}


def test_the_deadline_counts_from_the_first_byte_of_the_request() -> None:
    service = AdmissionService(cluster, CollectorRegistry(), clock=lambda: 10.0)
    review = _review(pod())

    # Of 1 s, 80 % are gone 0.8 s after the first byte.
    in_time = service(Call("POST", "/mutate?timeout=1s", review, since=9.3))
    too_late = service(Call("POST", "/mutate?timeout=1s", review, since=9.1))

    assert "patch" in json.loads(in_time.body)["response"]
    assert "patch" not in json.loads(too_late.body)["response"]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/mutate", 405), ("HEAD", "/mutate?timeout=2s", 405), ("POST", "/", 404), ("POST", "/mutate/x", 404)],
)
def test_only_posts_to_its_path_are_reviews(method: str, target: str, status: int) -> None:
    registry = CollectorRegistry()

    answer = _service(registry)(Call(method, target, _review(pod())))

    assert answer.status == status
    assert registry.get_sample_value("stowplan_admission_duration_seconds_count") == 0


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("timeout=500ms", 0.5), ("a=1&timeout=3s&timeout=4s", 3.0), ("", 2.0), ("timeout", 2.0), ("timeout=%zz", 2.0)],
)
def test_the_budget_in_a_query(query: str, seconds: float) -> None:
    assert budget_of(query) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2.0), ("500ms", 0.5), ("1m", 60.0), ("10", 10.0), ("", 2.0), ("soon", 2.0), ("-1s", 2.0)],
)
def test_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds
