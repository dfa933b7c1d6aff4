"""metrics.k8s.io as it really is: a metrics-server behind the API aggregation layer, scraping the usage that KWOK's nodes simulate."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from recommender.sources.intake import Intake
from recommender.sources.metrics import SourceMetrics
from recommender.sources.metrics_api import MetricsApiSource
from recommender.sources.observation import UsageSample
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.metrics_server import NAME, RESOLUTION_SECONDS, start_metrics_server
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from sandbox.usage import CPU_ANNOTATION, MEMORY_ANNOTATION
from stowplan.catalog import load_catalog
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection

CONTAINERS = ("app", "proxy")
USED = {"small": ("250m", "64Mi"), "large": ("3500m", "6Gi")}
EXPECTED = {"small": (250.0, 64 * 2**20), "large": (3500.0, 6 * 2**30)}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with metrics-server, two nodes and two pods whose usage is known."""
    settings = SandboxSettings(tmp_path_factory.mktemp("metrics-server"), name="metrics-server", usage=True)
    with ControlPlane(settings) as running:
        nodes = [node_manifest(f"n{number}", load_catalog()["m5.2xlarge"], zone="us-east-1a") for number in range(2)]
        wait_ready(running, create_nodes(running, nodes))
        for name, (cpu, memory) in USED.items():
            annotations = {CPU_ANNOTATION: cpu, MEMORY_ANNOTATION: memory}
            containers = [{"name": container, "image": "fake"} for container in CONTAINERS]
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "annotations": annotations},
                "spec": {"containers": containers},
            }
            running.kubectl("create", "-f", "-", stdin=json.dumps(pod))
        start_metrics_server(running)
        yield running


WINDOWS = 3


def last(samples: Sequence[UsageSample], pod: str, container: str) -> list[UsageSample]:
    """The latest windows of a container."""
    return [s for s in samples if (s.pod, s.container) == (pod, container)][-WINDOWS:]


def is_right(windows: Sequence[UsageSample]) -> bool:
    """Whether usage is what it is known to be, in each of enough windows in a row and over all of them.

    metrics-server takes the time of its request, KWOK counts at the time of its answer: on two busy cores up to a second apart at either
    end of a window of ten seconds, so 20 %. Over all windows the errors at the inner ends cancel out: of the whole time, two seconds.
    """
    if len(windows) < WINDOWS:
        return False
    cpu, _ = EXPECTED[windows[0].pod]
    seconds = sum(s.window_s for s in windows)
    mean = sum(s.cpu * s.window_s for s in windows) / seconds
    each = all(s.cpu == pytest.approx(cpu, rel=0.2) for s in windows)
    return each and mean == pytest.approx(cpu, rel=2 / seconds + 0.01)


async def measured(source: MetricsApiSource) -> list[UsageSample]:
    """Poll every second, much more often than is scraped, until every container's usage is right.

    A machine that stalls puts the two times further apart; the windows after it are right again. A wrong sum never is.
    """
    samples: list[UsageSample] = []
    deadline = time.monotonic() + 180
    while not all(is_right(last(samples, pod, container)) for pod in USED for container in CONTAINERS):
        assert time.monotonic() < deadline, samples
        samples += await source.poll()
        await asyncio.sleep(1)
    return samples


async def test_what_arrives_is_what_was_used(plane: ControlPlane) -> None:
    registry = CollectorRegistry()
    async with ApiClient(Connection.from_kubeconfig(plane.kubeconfig)) as api:
        source = MetricsApiSource(api, SourceMetrics(registry))
        samples = await measured(source)
    assert {(s.namespace, s.pod, s.container) for s in samples} == {
        ("default", pod, container) for pod in USED for container in CONTAINERS
    }
    for sample in samples:
        assert sample.memory == EXPECTED[sample.pod][1]
        assert math.isnan(sample.throttled)
    for pod in USED:
        assert all(s.window_s >= RESOLUTION_SECONDS - 2 for s in last(samples, pod, "app"))
        times = [s.t_s for s in samples if s.pod == pod and s.container == "app"]
        assert all(before < after for before, after in pairwise(times))  # never the same measurement twice
    assert is_right(last(Intake().offer(samples, time.time()).samples, "large", "app"))  # also what is learned of them
    assert registry.get_sample_value("stowplan_usage_source_up", {"source": "metrics-api"}) == 1


async def test_an_outage_of_metrics_server_is_told_and_survived(plane: ControlPlane) -> None:
    registry = CollectorRegistry()
    now = 0.0
    async with ApiClient(Connection.from_kubeconfig(plane.kubeconfig)) as api:
        source = MetricsApiSource(api, SourceMetrics(registry), monotonic=lambda: now)
        await asyncio.to_thread(plane.stop_component, NAME)
        deadline = time.monotonic() + 180
        while registry.get_sample_value("stowplan_usage_source_errors_total", _error("ApiError")) is None:
            assert time.monotonic() < deadline
            assert await source.poll() in ((), [])
            now += 1000
            await asyncio.sleep(0.2)
        assert registry.get_sample_value("stowplan_usage_source_up", {"source": "metrics-api"}) == 0

        await asyncio.to_thread(start_metrics_server, plane)
        samples: list[UsageSample] = []
        deadline = time.monotonic() + 120
        while not samples:  # the new process needs two scrapes
            assert time.monotonic() < deadline
            now += 1000
            samples += await source.poll()
            await asyncio.sleep(0.5)
    assert registry.get_sample_value("stowplan_usage_source_up", {"source": "metrics-api"}) == 1


def _error(name: str) -> dict[str, str]:
    return {"source": "metrics-api", "error": name}
