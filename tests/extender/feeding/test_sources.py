"""What is polled: wire formats, and how the poll takes absence and failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extender.cluster.cache import Cache
from extender.cluster.node_load import NodeLoad
from extender.feeding.polling import Poll, PollOutcome, Source
from extender.feeding.sources import (
    NodeLoads,
    parse_cpu_pressure,
    parse_node_metrics,
    parse_pod_groups,
    pod_group_source,
)
from stowplan.kube.errors import ApiError, Unreachable
from tests.support.extender import node, pod, signature

METRICS = {
    "kind": "NodeMetricsList",
    "apiVersion": "metrics.k8s.io/v1beta1",
    "items": [
        {
            "metadata": {"name": "n1", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "window": "20s",
            "usage": {"cpu": "1999123456n", "memory": "2Gi"},
        },
        {"metadata": {"name": "unknown"}, "usage": {"cpu": "1"}},
    ],
}
SUMMARY = {
    "node": {
        "nodeName": "n1",
        "cpu": {
            "usageNanoCores": 1,
            "psi": {"some": {"total": 5, "avg10": 90.0, "avg60": 50.0, "avg300": 12.5}, "full": {"avg300": 0}},
        },
    },
    "pods": [],
}


class FakeApi:
    """Answers by path; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def get_bytes(self, path: str, **_: Any) -> bytes:
        """As of `ApiClient`."""
        self.asked.append(path)
        answer = self.answers["metrics" if path.startswith("/apis/metrics") else "summary"]
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()

    async def list(self, path: str) -> tuple[list[Any], str]:
        """As of `ApiClient`."""
        self.asked.append(path)
        answer = self.answers["groups"]
        if isinstance(answer, Exception):
            raise answer
        return answer, "1"


def test_node_metrics_are_in_nanocores() -> None:
    # 1.999123456 cores, rounded up as requests are
    assert parse_node_metrics(json.dumps(METRICS).encode()) == {"n1": 2000, "unknown": 1000}


def test_pressure_is_the_share_of_time_some_task_waited() -> None:
    assert parse_cpu_pressure(json.dumps(SUMMARY).encode()) == 125
    assert parse_cpu_pressure(b'{"node": {"cpu": {"usageNanoCores": 1}}}') is None


def loaded(api: Any, *, pressure: bool = False) -> tuple[NodeLoads, Cache, list[tuple[Any, ...]]]:
    cache = Cache()
    cache.upsert_node(node("n1", cpu=4000))
    cache.upsert_pod(pod("u1", signature(cpu=3000), "n1"))
    events: list[tuple[Any, ...]] = []
    return NodeLoads(api, cache, lambda *event: events.append(event), pressure=pressure), cache, events


async def test_loads_go_to_the_cache_and_the_mirror_once() -> None:
    loads, cache, events = loaded(FakeApi(metrics=METRICS))
    await loads.read()
    generation = cache.generation
    await loads.read()
    # 2000 of 4000
    assert cache.snapshot().loads == {"n1": NodeLoad(500, 3000)}
    assert (cache.generation, len(events)) == (generation, 1)
    loads.lose()
    assert cache.snapshot().loads == {}


async def test_pressure_adds_to_the_load_and_a_silent_kubelet_has_none() -> None:
    api = FakeApi(metrics=METRICS, summary=SUMMARY)
    loads, cache, _ = loaded(api, pressure=True)
    await loads.read()
    assert "/api/v1/nodes/n1/proxy/stats/summary" in api.asked
    assert cache.snapshot().loads["n1"].permille == 650  # 500 + 125, rounded up to fifties
    loads, cache, _ = loaded(FakeApi(metrics=METRICS, summary=Unreachable("no kubelet")), pressure=True)
    await loads.read()
    assert cache.snapshot().loads["n1"].permille == 500


async def test_pod_groups_by_their_least_number() -> None:
    groups: list[dict[str, Any]] = [
        {"metadata": {"namespace": "ml", "name": "train"}, "spec": {"minMember": 8}},
        {"metadata": {"namespace": "ml", "name": "single"}, "spec": {"minMember": 1}},
        {"metadata": {"namespace": "ml", "name": "empty"}},
    ]
    assert parse_pod_groups(groups) == {("ml", "train"): 8}
    cache = Cache()
    events: list[tuple[Any, ...]] = []
    api: Any = FakeApi(groups=groups)
    source = pod_group_source(api, cache, lambda *event: events.append(event))
    await source.read()
    assert cache.snapshot().pod_groups == {("ml", "train"): 8}
    source.lose()
    assert (cache.snapshot().pod_groups, len(events)) == ({}, 2)


@pytest.mark.parametrize(
    ("error", "outcome", "lost_after"),
    [
        (ApiError(404, "NotFound", "the server could not find the requested resource"), PollOutcome.ABSENT, 1),
        (ApiError(403, "Forbidden", "no"), PollOutcome.ABSENT, 1),
        (ApiError(500, "InternalError", "oops"), PollOutcome.FAILED, 4),
        (Unreachable("gone"), PollOutcome.FAILED, 4),
        (ValueError("no JSON"), PollOutcome.FAILED, 4),
    ],
)
async def test_absence_loses_at_once_and_failure_after_a_while(
    error: Exception, outcome: PollOutcome, lost_after: int
) -> None:
    lost: list[int] = []
    tries = 0

    async def read() -> None:
        nonlocal tries
        tries += 1
        raise error

    counted: list[tuple[str, PollOutcome]] = []
    poll = Poll(Source("s", read, lambda: lost.append(tries)), 1.0, lambda *seen: counted.append(seen))
    for _ in range(4):
        assert await poll.once() is outcome
    assert lost[0] == lost_after
    assert counted == [("s", outcome)] * 4


async def test_an_absent_api_is_asked_for_less_often() -> None:
    waits: list[float] = []
    answers: list[Exception | None] = [None, ApiError(404, "NotFound", "")]

    class Enough(Exception):  # noqa: N818 - ends the loop under test
        """Stop."""

    async def read() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if not answers:
            raise Enough

    with pytest.raises(Enough):
        await Poll(Source("s", read, lambda: None), 30.0, lambda *_: None, sleep).run()
    assert waits == [30.0, 120.0]
