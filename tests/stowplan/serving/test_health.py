"""The health application over HTTP."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter

from stowplan.serving.health import Readiness, health_app
from stowplan.serving.metrics import LATENCY_BUCKETS, new_registry


async def test_readiness_names_what_is_missing_and_liveness_does_not_care() -> None:
    state = {"pods": False, "nodes": True}

    def broken() -> bool:
        raise RuntimeError("no idea")

    readiness = Readiness({"pods": lambda: state["pods"], "nodes": lambda: state["nodes"]})
    readiness.add("certificate", broken)
    async with TestClient(TestServer(health_app(readiness, CollectorRegistry()))) as client:
        answer = await client.get("/readyz")
        assert answer.status == 503
        assert await answer.json() == {"ready": False, "not_ready": ["certificate", "pods"]}
        assert (await client.get("/healthz")).status == 200


async def test_ready_when_all_checks_hold() -> None:
    async with TestClient(TestServer(health_app(Readiness({"a": lambda: True}), CollectorRegistry()))) as client:
        answer = await client.get("/readyz")
        assert answer.status == 200
        assert await answer.json() == {"ready": True, "not_ready": []}


def test_a_check_cannot_replace_another() -> None:
    readiness = Readiness({"a": lambda: False})
    with pytest.raises(ValueError, match="'a'"):
        readiness.add("a", lambda: True)


async def test_metrics_are_prometheus_text_of_the_given_registry() -> None:
    registry = new_registry()
    Counter("stowplan_test", "A counter.", registry=registry).inc(3)
    async with TestClient(TestServer(health_app(Readiness(), registry))) as client:
        answer = await client.get("/metrics")
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "stowplan_test_total 3.0" in text
        assert "process_resident_memory_bytes" in text


def test_buckets_tell_tenths_of_a_millisecond_apart() -> None:
    assert LATENCY_BUCKETS[0] == 0.0001
    assert list(LATENCY_BUCKETS) == sorted(set(LATENCY_BUCKETS))
