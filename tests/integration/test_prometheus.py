"""A real Prometheus (Debian's package) with recorded usage: what arrives is what was recorded, whatever went wrong in between."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from recommender.sources.intake import DropReason, Intake
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import UsageSample
from recommender.sources.prometheus import PrometheusSource
from recommender.sources.prometheus_api import PrometheusApi, PrometheusSettings
from tests.support.prometheus import running_prometheus, write_blocks
from tests.support.recorded_usage import THROTTLED_SHARE, Faults, Recording, bitbrains, exposition, online_boutique

DAY_S = 86_400
STEP_S = 300


@dataclass(frozen=True)
class Past:
    """A Prometheus with two weeks of four machines."""

    url: str
    recordings: dict[str, Recording]
    faults: dict[str, Faults]
    start_s: int
    end_s: int


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    directory = tmp_path_factory.mktemp("prometheus")
    end = int(time.time()) // STEP_S * STEP_S - 2 * DAY_S
    recordings = {recording.pod: recording for recording in bitbrains(4, end)}
    first, second, third, _ = recordings.values()
    of = {
        # Restarted three times; its counters also began again in between. At times of readings, so that nothing is lost unseen.
        first.pod: Faults(
            restarts=[first.times[at] for at in (500, 1500, 2500)], resets=[first.times[at] for at in (700, 1700)]
        ),
        # Not scraped for twenty minutes, and once for five hours.
        second.pod: Faults(gaps=[(second.times[300], second.times[304]), (second.times[900], second.times[960])]),
        third.pod: Faults(resets=[third.times[5]]),
    }
    faults = {pod: of.get(pod, Faults()) for pod in recordings}
    # The third one is scraped twice, as by a pair of replicas behind one endpoint.
    data = write_blocks(
        directory,
        (
            (metric, labels, t_s, value)
            for recording in recordings.values()
            for replica in (("a", "b") if recording is third else ("",))
            for t_s in recording.times
            for metric, labels, value in exposition(recording, faults[recording.pod], t_s, replica)
        ),
    )
    with running_prometheus(directory, data) as url:
        yield Past(url, recordings, faults, min(r.times[0] for r in recordings.values()), end)


async def back_filled(past: Past, settings: PrometheusSettings, registry: CollectorRegistry) -> list[list[UsageSample]]:
    async with PrometheusApi(settings) as api:
        source = PrometheusSource(api, SourceMetrics(registry))
        batches = [list(batch) async for batch in source.back_fill(past.start_s - STEP_S, past.end_s)]
        assert source.back_filled_until_s == past.end_s
    return batches


@dataclass(frozen=True)
class BackFill:
    """All of the past at once, and what was counted."""

    batches: list[list[UsageSample]]
    registry: CollectorRegistry

    @property
    def samples(self) -> list[UsageSample]:
        """All of them, in the order of their arrival."""
        return [sample for batch in self.batches for sample in batch]


@pytest.fixture(scope="module")
def whole(past: Past) -> BackFill:
    registry = CollectorRegistry()
    settings = PrometheusSettings(past.url, back_fill_step_s=STEP_S, chunk_s=DAY_S)
    return BackFill(asyncio.run(back_filled(past, settings, registry)), registry)


def windows(recording: Recording, faults: Faults) -> set[tuple[int, int]]:
    """The times between readings, but for gaps of more than an hour. Restarts are at times of readings, and a start counts as one."""
    measured = [t_s for t_s in recording.times if faults.measured(t_s)]
    return {(start, end) for start, end in pairwise(measured) if end - start <= 3600}


def test_two_weeks_of_the_past_arrive_as_they_were_recorded(past: Past, whole: BackFill) -> None:
    for pod, recording in past.recordings.items():
        of_pod = [s for s in whole.samples if s.pod == pod]
        assert {(s.namespace, s.container) for s in of_pod} == {("shop", "server")}
        # Every window between two readings, once, and nothing else: no gap is guessed at, no restart counted as usage.
        found = [(s.t_s - s.window_s, s.t_s) for s in of_pod]
        assert sorted(found) == sorted(windows(recording, past.faults[pod]))
        for sample in of_pod:
            # Prometheus holds 64-bit floats; of counters up to some 1e7 core-s, a difference over 300 s is good to 1e-8 cores.
            assert sample.cpu == pytest.approx(recording.mean_cpu(sample), rel=1e-6, abs=1e-3)
            assert sample.memory == recording.memory_at(sample.t_s)
    counted = whole.registry.get_sample_value
    assert counted("stowplan_usage_back_fill_progress", {"source": "prometheus"}) == 1
    assert counted("stowplan_usage_counter_resets_total", {"source": "prometheus"}) == 3


def test_throttling_is_the_share_of_periods(whole: BackFill) -> None:
    known = [s for s in whole.samples if not math.isnan(s.throttled)]
    assert all(s.throttled == pytest.approx(THROTTLED_SHARE) for s in known)
    assert len(whole.samples) - len(known) == 3  # one window for each counter that began again


def test_the_oldest_comes_first_and_days_are_not_mixed(whole: BackFill) -> None:
    days = [(sample.t_s - 1) // DAY_S for sample in whole.samples]
    assert days == sorted(days)


async def test_small_answers_say_the_same_as_large_ones(past: Past, whole: BackFill) -> None:
    # One day of one counter of a machine is some 8 kB in an answer, of four 32: this asks by namespace, and for parts of days.
    settings = PrometheusSettings(past.url, back_fill_step_s=STEP_S, chunk_s=DAY_S, max_body_bytes=12_000)
    in_parts = await back_filled(past, settings, CollectorRegistry())
    assert sorted(repr(s) for batch in in_parts for s in batch) == sorted(map(repr, whole.samples))


async def test_a_back_fill_is_taken_up_where_it_stopped(past: Past, whole: BackFill) -> None:
    intake = Intake()
    learned: list[UsageSample] = []
    settings = PrometheusSettings(past.url, back_fill_step_s=STEP_S, chunk_s=DAY_S)
    async with PrometheusApi(settings) as api:
        first = PrometheusSource(api, SourceMetrics())
        taken = 0
        async for batch in first.back_fill(past.start_s - STEP_S, past.end_s):
            learned += intake.offer(batch, time.time()).samples
            taken += 1
            if taken == 5:
                break
        assert first.back_filled_until_s is not None
        second = PrometheusSource(api, SourceMetrics())
        async for batch in second.back_fill(first.back_filled_until_s, past.end_s):
            learned += intake.offer(batch, time.time()).samples
    assert sorted(map(repr, learned)) == sorted(map(repr, whole.samples))


class Exporter:
    """Plays recordings as cAdvisor would, at whole seconds, with the faults of each pod. Its clock is the machine's."""

    def __init__(self) -> None:
        self._recordings: list[Recording] = []
        self._faults: dict[str, Faults] = {}

    def play(self, recordings: list[Recording], faults: dict[str, Faults]) -> None:
        """From now on."""
        self._recordings, self._faults = recordings, faults

    async def metrics(self, _: web.Request) -> web.Response:
        """What is to be scraped now."""
        t_s = int(time.time())
        lines = [
            f"{metric}{{{labels}}} {value!r} {t_s}000"
            for recording in self._recordings
            for replica in ("a", "b")
            for metric, labels, value in exposition(recording, self._faults[recording.pod], t_s, replica)
        ]
        return web.Response(text="\n".join(lines) + "\n")


async def last_reading(url: str, pod: str, before_s: int) -> float:
    """When Prometheus was last told of the pod before then: on a machine that stalls a scrape may be late, or lost."""
    query = {"query": f'container_cpu_usage_seconds_total{{pod="{pod}"}}[5m]'}
    async with ClientSession() as session, session.get(f"{url}/api/v1/query", params=query) as response:
        series = (await response.json())["data"]["result"]
    return max(float(t_s) for one in series for t_s, _ in one["values"] if t_s < before_s)


async def test_live_usage_arrives_as_it_happens(tmp_path: Path) -> None:
    """A recorded minute every two seconds; 40 s of it, in samples of 4 s, with a restart, a reset and a gap, polled every second."""
    registry = CollectorRegistry()
    intake, learned = Intake(), list[UsageSample]()
    app, exporter = web.Application(), Exporter()
    app.router.add_get("/metrics", exporter.metrics)
    async with TestServer(app) as server:
        target = f"127.0.0.1:{server.port}"
        with running_prometheus(tmp_path, target=target) as url:
            start = int(time.time()) - 1
            recordings = online_boutique(3, start, 2)
            restarted, reset, lost = (recording.pod for recording in recordings)
            faults = {
                restarted: Faults(restarts=[start + 20]),
                reset: Faults(resets=[start + 20]),
                lost: Faults(gaps=[(start + 14, start + 26)]),
            }
            exporter.play(recordings, faults)
            settings = PrometheusSettings(url, step_s=4, back_fill_step_s=STEP_S, delay_s=2)
            async with PrometheusApi(settings) as api:
                source = PrometheusSource(api, SourceMetrics(registry))
                while time.time() < start + 46:
                    admission = intake.offer(await source.poll(), time.time())
                    assert admission.dropped.get(DropReason.COVERED, 0) == 0  # never the same twice
                    learned += admission.samples
                    await asyncio.sleep(1)
            known_until = await last_reading(url, restarted, start + 20)
    for recording in recordings:
        samples = sorted((s for s in learned if s.pod == recording.pod), key=lambda s: s.t_s)
        for sample in samples:
            truth = recording.mean_cpu(sample)
            across = [at for at in faults[recording.pod].resets if sample.t_s - sample.window_s < at <= sample.t_s]
            if across:  # what was used before the counter began again is lost, and no more than that
                assert 0 <= sample.cpu <= truth * 1.000001
            else:
                assert sample.cpu == pytest.approx(truth, rel=1e-6, abs=1e-6)
        gaps = sum(after.t_s - after.window_s - before.t_s for before, after in pairwise(samples))
        # Of the old cgroup, what it used after its last reading is not known.
        assert gaps <= (max(2, start + 20 - known_until) if recording.pod == restarted else 0)
        assert samples[-1].t_s - samples[0].t_s >= 24
    assert any(s.window_s >= 8 for s in learned if s.pod == lost)  # the gap, bridged by its own mean
    assert registry.get_sample_value("stowplan_usage_counter_resets_total", {"source": "prometheus"}) == 1
