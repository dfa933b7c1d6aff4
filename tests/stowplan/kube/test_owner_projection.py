"""How many pods an owner wants, and when it wants none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from stowplan.kube.projection import Deadline, PodOwner, project_job, project_replica_set, project_stateful_set


def body(spec: dict[str, Any], status: dict[str, Any] | None = None, **meta: Any) -> bytes:
    """The JSON of an object `shop/web`."""
    metadata = {"name": "web", "namespace": "shop", "uid": "o1", "managedFields": [{"fieldsV1": {}}], **meta}
    return json.dumps({"metadata": metadata, "spec": spec, "status": status or {}}).encode()


@pytest.mark.parametrize(
    ("project", "kind"), [(project_replica_set, "ReplicaSet"), (project_stateful_set, "StatefulSet")]
)
def test_replicas_are_wanted(project: Callable[[bytes], PodOwner | None], kind: str) -> None:
    assert project(body({"replicas": 6, "selector": {"matchLabels": {}}})) == PodOwner("shop", kind, "web", 6)
    assert project(body({})) == PodOwner("shop", kind, "web", 1)  # the API's default
    assert project(body({"replicas": 0})) is None
    assert project(body({"replicas": 6}, deletionTimestamp="2026-01-01T00:00:00Z")) is None


@pytest.mark.parametrize(
    ("spec", "succeeded", "desired"),
    [
        ({"completions": 10, "parallelism": 4}, 0, 4),
        ({"completions": 10, "parallelism": 4}, 7, 3),  # three completions are missing
        ({"completions": 10}, 3, 1),  # parallelism is 1 by default
        ({"parallelism": 4}, 0, 4),  # a work queue
    ],
)
def test_a_job_wants_its_parallelism_up_to_the_missing_completions(
    spec: dict[str, Any], succeeded: int, desired: int
) -> None:
    assert project_job(body(spec, {"succeeded": succeeded})) == PodOwner("shop", "Job", "web", desired)


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"parallelism": 0}, {}),
        ({"completions": 3, "parallelism": 4}, {"succeeded": 3}),
        ({"parallelism": 4}, {"succeeded": 1}),  # a work queue that has run dry
        ({"parallelism": 4, "suspend": True}, {}),
        ({"completions": 3}, {"conditions": [{"type": "Complete", "status": "True"}]}),
        ({"completions": 3}, {"conditions": [{"type": "FailureTarget", "status": "True"}]}),
    ],
)
def test_a_job_wants_no_pod(spec: dict[str, Any], status: dict[str, Any]) -> None:
    assert project_job(body(spec, status)) is None


def test_a_condition_that_is_not_true_ends_no_job() -> None:
    status = {"conditions": [{"type": "Failed", "status": "False"}]}

    assert project_job(body({"completions": 3}, status)) == PodOwner("shop", "Job", "web", 1)


CREATED, STARTED = "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"
CREATED_S, STARTED_S = 1_767_225_600, 1_767_226_200
SUSPENDED = {"conditions": [{"type": "Suspended", "status": "False"}]}


@pytest.mark.parametrize(
    ("spec", "status", "deadline"),
    [
        ({"activeDeadlineSeconds": 60}, {"startTime": STARTED}, Deadline(STARTED_S, STARTED_S + 60)),
        (
            {"activeDeadlineSeconds": 60},
            {},
            Deadline(CREATED_S, CREATED_S + 60),
        ),  # first pods come before it is written
        ({"activeDeadlineSeconds": 60}, SUSPENDED, None),  # resumed just now, created whenever
        ({"activeDeadlineSeconds": 60}, {"startTime": STARTED, **SUSPENDED}, Deadline(STARTED_S, STARTED_S + 60)),
        ({"activeDeadlineSeconds": None}, {"startTime": STARTED}, None),
        ({}, {"startTime": STARTED}, None),
    ],
)
def test_a_deadline_of_a_job_counts_from_its_start(
    spec: dict[str, Any], status: dict[str, Any], deadline: Deadline | None
) -> None:
    found = project_job(body(spec, status, creationTimestamp=CREATED))

    assert found == PodOwner("shop", "Job", "web", 1, deadline)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        project_job(b'{"metadata": {}, "spec": {"parallelism": "four"}}')
