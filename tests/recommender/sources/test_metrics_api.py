"""The metrics API over a real socket, with the answers a test scripts."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from recommender.sources.metrics import SourceMetrics
from recommender.sources.metrics_api import MetricsApiSource
from recommender.sources.pod_metrics import duration_s, memory_bytes, millicores
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.model.quantity import QuantityError
from tests.support.fake_api import status_response

T = 1_700_000_100
"""2023-11-14 22:15:00 UTC."""


def at(t_s: int) -> str:
    """A time as the server writes it, within the hour of T."""
    minutes, seconds = divmod(t_s - T + 15 * 60, 60)
    return f"2023-11-14T22:{minutes:02}:{seconds:02}Z"


def item(
    pod: str, t_s: int, cpu: str = "250m", memory: str = "1Mi", window: str = "15s", **more: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": pod, "namespace": "shop", "labels": {"app": "x"}},
        "timestamp": at(t_s),
        "window": window,
        "containers": [{"name": "app", "usage": {"cpu": cpu, "memory": memory}}],
        **more,
    }


@dataclass
class Scripted:
    """Answers by path; `clock` is read by the source."""

    answers: dict[str, Callable[[], web.Response] | list[Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: float = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        """A list, or whatever is scripted."""
        self.asked.append(request.path)
        answer = self.answers.get(request.path, [])
        return web.json_response({"kind": "PodMetricsList", "items": answer}) if isinstance(answer, list) else answer()


ALL = "/apis/metrics.k8s.io/v1beta1/pods"


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@asynccontextmanager
async def source(scripted: Scripted, registry: CollectorRegistry, **options: Any) -> AsyncIterator[MetricsApiSource]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", scripted.handle)
    async with TestServer(app) as server, ApiClient(Connection(f"http://127.0.0.1:{server.port}")) as api:
        metrics = SourceMetrics(registry, clock=lambda: T + 100.0)
        yield MetricsApiSource(api, metrics, monotonic=lambda: scripted.now, **options)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"stowplan_{name}", {"source": "metrics-api", **labels})


async def test_a_list_becomes_samples(scripted: Scripted, registry: CollectorRegistry) -> None:
    scripted.answers[ALL] = [item("web-0", T, "1234567n", "2048Ki", "15.4s")]
    async with source(scripted, registry) as metrics_api:
        (sample,) = await metrics_api.poll()
    assert (sample.namespace, sample.pod, sample.container) == ("shop", "web-0", "app")
    assert (sample.t_s, sample.window_s) == (T, 15)
    assert sample.cpu == pytest.approx(1.234567)  # millicores
    assert sample.memory == 2048 * 1024
    assert math.isnan(sample.throttled)
    assert value(registry, "usage_source_up") == 1
    assert value(registry, "usage_newest_sample_age_seconds") == 100
    assert value(registry, "usage_samples_delivered_total") == 1


async def test_the_same_measurement_is_delivered_once(scripted: Scripted, registry: CollectorRegistry) -> None:
    async with source(scripted, registry) as metrics_api:
        scripted.answers[ALL] = [item("web-0", T)]
        assert len(await metrics_api.poll()) == 1
        assert await metrics_api.poll() == []
        scripted.answers[ALL] = []  # a partial list: the node did not answer
        assert await metrics_api.poll() == []
        scripted.answers[ALL] = [item("web-0", T)]
        assert await metrics_api.poll() == []
        scripted.answers[ALL] = [item("web-0", T - 4)]  # another replica of metrics-server, a scrape behind
        assert await metrics_api.poll() == []
        scripted.answers[ALL] = [item("web-0", T + 16)]
        # The server cuts 15.6 s to whole seconds at both ends; that is no hole of a second.
        assert [(s.t_s, s.window_s) for s in await metrics_api.poll()] == [(T + 16, 16)]


async def test_a_clock_that_was_set_back_does_not_silence_a_pod(
    scripted: Scripted, registry: CollectorRegistry
) -> None:
    async with source(scripted, registry) as metrics_api:
        scripted.answers[ALL] = [item("web-0", T + 900)]
        await metrics_api.poll()
        scripted.answers[ALL] = [item("web-0", T)]
        assert [s.t_s for s in await metrics_api.poll()] == [T]


async def test_odd_items_cost_only_themselves(scripted: Scripted, registry: CollectorRegistry) -> None:
    two: dict[str, Any] = {
        "containers": [{"name": "app", "usage": {"cpu": "fast"}}, {"name": "cache", "usage": {"cpu": "1"}}]
    }
    scripted.answers[ALL] = [
        {"metadata": {"name": "no-time", "namespace": "shop"}},
        item("no-zone", T, timestamp="2023-11-14T22:15:00"),
        item("no-window", T, window="soon"),
        item("no-containers", T, containers=None),
        item("half", T, **two),
        "nonsense",
    ]
    async with source(scripted, registry) as metrics_api:
        (sample,) = await metrics_api.poll()
    assert (sample.pod, sample.container, sample.cpu) == ("half", "cache", 1000.0)
    assert math.isnan(sample.memory)
    assert value(registry, "usage_unreadable_total") == 5  # no-time, no-zone, no-window, half/app, nonsense


@pytest.mark.parametrize(
    ("code", "reason", "error", "remedy"),
    [
        (404, "NotFound", "NotFound", "install metrics-server"),
        (403, "Forbidden", "Forbidden", "allow the verb list"),
        (503, "ServiceUnavailable", "ApiError", "kubectl get apiservice"),
    ],
)
async def test_a_missing_api_is_named_counted_and_asked_again_later(
    scripted: Scripted,
    registry: CollectorRegistry,
    caplog: pytest.LogCaptureFixture,
    code: int,
    reason: str,
    error: str,
    remedy: str,
) -> None:
    scripted.answers[ALL] = lambda: status_response(code, reason)
    async with source(scripted, registry) as metrics_api:
        assert await metrics_api.poll() == []
        assert await metrics_api.poll() == ()  # waits: no request
        assert len(scripted.asked) == 1
        assert remedy in caplog.text
        scripted.now = 5.0  # the first wait is 5 s, the second 10 s
        await metrics_api.poll()
        scripted.now = 14.0
        await metrics_api.poll()
        assert len(scripted.asked) == 2
        assert caplog.text.count(remedy) == 1  # once per outage
        scripted.now, scripted.answers[ALL] = 15.0, [item("web-0", T)]
        assert value(registry, "usage_source_up") == 0
        assert len(await metrics_api.poll()) == 1
    assert value(registry, "usage_source_up") == 1
    assert value(registry, "usage_source_errors_total", error=error) == 2


async def test_a_server_that_names_its_delay_gets_it(scripted: Scripted, registry: CollectorRegistry) -> None:
    scripted.answers[ALL] = lambda: status_response(429, "TooManyRequests", {"Retry-After": "30"})
    async with source(scripted, registry) as metrics_api:
        await metrics_api.poll()
        scripted.now = 29.0
        await metrics_api.poll()
        assert len(scripted.asked) == 1
        scripted.now = 30.0
        await metrics_api.poll()
    assert len(scripted.asked) == 2


async def test_a_list_without_bounds_is_not_read(scripted: Scripted, registry: CollectorRegistry) -> None:
    scripted.answers[ALL] = [item(f"web-{number}", T) for number in range(100)]
    async with source(scripted, registry, max_body_bytes=1000) as metrics_api:
        assert await metrics_api.poll() == []
    assert value(registry, "usage_source_errors_total", error="TooLarge") == 1


async def test_no_list_at_all(
    scripted: Scripted, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answers[ALL] = lambda: web.Response(text="<html>")
    async with source(scripted, registry) as metrics_api:
        assert await metrics_api.poll() == []
    assert "does not speak v1beta1" in caplog.text


async def test_one_namespace_that_fails_does_not_cost_the_other(
    scripted: Scripted, registry: CollectorRegistry
) -> None:
    scripted.answers["/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"] = [item("web-0", T)]
    scripted.answers["/apis/metrics.k8s.io/v1beta1/namespaces/bank/pods"] = lambda: status_response(403, "Forbidden")
    async with source(scripted, registry, namespaces=["shop", "bank"]) as metrics_api:
        assert [s.pod for s in await metrics_api.poll()] == ["web-0"]
    assert value(registry, "usage_source_up") == 0


async def test_there_is_no_past(scripted: Scripted, registry: CollectorRegistry) -> None:
    async with source(scripted, registry) as metrics_api:
        assert [batch async for batch in metrics_api.back_fill(0, T)] == []
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("1234567n", 1.234567),
        ("1500u", 1.5),
        ("250m", 250.0),
        ("1.5", 1500.0),
        ("2", 2000.0),
        ("-5m", -5.0),
    ],
)
def test_cpu(text: str, expected: float) -> None:
    assert millicores(text) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "expected"), [("1024Ki", 2**20), ("3Mi", 3 * 2**20), ("1G", 1e9), ("17", 17.0)])
def test_memory(text: str, expected: float) -> None:
    assert memory_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "n", "²n", "fast", "1 m"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        millicores(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("15s", 15.0), ("1m0.5s", 60.5), ("750ms", 0.75), ("1h", 3600.0), ("30.123456789s", 30.123456789)],
)
def test_durations_of_go(text: str, expected: float) -> None:
    assert duration_s(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "15", "s", "15s ", "soon", "-15s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(QuantityError, match="window"):
        duration_s(text)
