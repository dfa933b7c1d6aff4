"""Owners over a real socket: what reaches the cache, and what a missing permission does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from extender.cluster.cache import Cache
from extender.feeding.feed import OwnerFeed
from extender.feeding.owner_watch import OwnerWatch
from stowplan.kube.paths import JOBS
from stowplan.kube.projection import project_job
from stowplan.kube.reflector import Reflector
from stowplan.kube.reflector_metrics import ReflectorMetrics
from tests.support.extender import pod, signature
from tests.support.fake_api import FakeApi, serving_api, status_response

LOAD = signature("load", owner_key="Job/load")


def job(name: str, parallelism: int, **status: Any) -> dict[str, Any]:
    """A Job of ten completions in `shop`."""
    spec = {"parallelism": parallelism, "completions": 10}
    return {"metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"}, "spec": spec, "status": status}


class Watched:
    """A cache with one pod of the Job `load`, the fake server, and a running watch of Jobs."""

    def __init__(self) -> None:
        self.fake = FakeApi()
        self.cache = Cache()
        self.cache.upsert_pod(pod("u1", LOAD))
        self.registry = CollectorRegistry()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Note the wait instead of waiting."""
        self.waits.append(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The watch at work."""
        async with serving_api(self.fake) as api:
            metrics = ReflectorMetrics(self.registry)
            feed = OwnerFeed("Job", self.cache, lambda *_: None)
            watch = OwnerWatch(api, JOBS, Reflector(api, JOBS, project_job, feed, metrics=metrics), metrics, self.sleep)
            task = asyncio.create_task(watch.run())
            try:
                yield
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def expects(self, count: int) -> None:
        """Wait until so many pods are expected."""
        await until(lambda: self.cache.snapshot().expected.get(LOAD, 0) == count)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110  # what is waited for is a socket
            await asyncio.sleep(0.01)


async def test_a_job_is_followed_from_its_creation_to_its_end() -> None:
    watched = Watched()
    watched.fake.put(job("load", 4))
    async with watched.running():
        await watched.expects(3)  # four at a time, one is there
        watched.fake.put(job("load", 4, succeeded=8))
        await watched.expects(1)  # two completions are missing
        watched.fake.put(job("load", 4, conditions=[{"type": "Complete", "status": "True"}]))
        await watched.expects(0)


async def test_a_missing_permission_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    watched.fake.put(job("load", 4))
    watched.fake.list_failures.extend([lambda _: status_response(403, "Forbidden")] * 3)
    with caplog.at_level(logging.WARNING):
        async with watched.running():
            await watched.expects(3)  # the permission came at last

    labels = {"resource": "jobs.batch", "error": "Forbidden"}
    assert watched.registry.get_sample_value("stowplan_reflector_errors_total", labels) == 3
    assert watched.waits == [60.0, 60.0, 60.0]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("extender")] == [
        "jobs.batch may not be listed: slots are planned for pods that exist only; allow list and watch"
    ]


async def test_any_other_failure_is_left_to_the_reflector() -> None:
    watched = Watched()
    watched.fake.put(job("load", 4))
    watched.fake.list_failures.append(lambda _: status_response(500, "InternalError"))
    async with watched.running():
        await watched.expects(3)

    assert watched.waits == []
