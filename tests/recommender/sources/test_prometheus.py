"""The source against a scripted HTTP API: splitting, errors with their remedy, waiting, late data."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from recommender.sources.metrics import SourceMetrics
from recommender.sources.prometheus import PrometheusSource
from recommender.sources.prometheus_api import PrometheusApi, PrometheusError, PrometheusSettings

DAY_S = 86_400
T = 1_700_006_400
"""2023-11-15 00:00:00 UTC."""


@dataclass
class FakePrometheus:
    """One container per namespace; its counter is 0.1 core-s a second, read at whole minutes, as far as `known_until_s`."""

    namespaces: list[str] = field(default_factory=lambda: ["bank", "shop"])
    known_until_s: float = T + 100 * DAY_S
    gap: tuple[float, float] = (0.0, 0.0)
    """Nothing is read after the first and before the second; what was read last is repeated for five minutes, as Prometheus does."""
    failures: list[Callable[[], web.Response]] = field(default_factory=list)
    max_points: int = 10**9
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """A range query or the list of namespaces."""
        self.headers.append(dict(request.headers))
        if self.failures:
            return self.failures.pop(0)()
        if request.path.endswith("/label/namespace/values"):
            return web.json_response({"status": "success", "data": self.namespaces})
        query = request.query
        start, end, step = int(query["start"]), int(query["end"]), int(query["step"])
        self.asked.append((query["query"], start, end))
        among = re.search(r'namespace=~"([^"]*)"', query["query"])
        names = among.group(1).split("|") if among else self.namespaces
        times = range(start, end + 1, step)
        if len(names) * len(times) > self.max_points:
            error = {
                "status": "error",
                "errorType": "execution",
                "error": "query processing would load too many samples",
            }
            return web.json_response(error, status=422)
        result = [self._series(name, times, query["query"]) for name in names]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    def _series(self, namespace: str, times: range, query: str) -> dict[str, Any]:
        measured = {at: self._read_at(min(at, self.known_until_s) // 60 * 60) for at in times}
        measured = {at: t_s for at, t_s in measured.items() if at - t_s < 300}
        values: dict[int, float]
        if "start_time" in query:
            values = dict.fromkeys(measured, T - 90.0 * DAY_S)
        elif "timestamp(" in query:
            values = measured
        elif "memory" in query:
            values = dict.fromkeys(measured, 1e6)
        else:
            values = {at: t_s / 10 for at, t_s in measured.items()}
        labels = {"namespace": namespace, "pod": "web-0", "container": "app"}
        return {"metric": labels, "values": [[at, repr(float(value))] for at, value in values.items()]}

    def _read_at(self, t_s: float) -> float:
        first, last = self.gap
        return first if first < t_s < last else t_s


def error(status: int, text: str = "no") -> Callable[[], web.Response]:
    return lambda: web.json_response({"status": "error", "errorType": "x", "error": text}, status=status)


class Bed:
    """A source, its fake and its clocks."""

    def __init__(self, fake: FakePrometheus, source: PrometheusSource, registry: CollectorRegistry) -> None:
        self.fake = fake
        self.source = source
        self.registry = registry

    def value(self, name: str, **labels: str) -> float | None:
        """A metric of the source."""
        return self.registry.get_sample_value(f"stowplan_usage_{name}", {"source": "prometheus", **labels})


@asynccontextmanager
async def bed(
    fake: FakePrometheus, now: list[float], slept: list[float] | None = None, **settings: Any
) -> AsyncIterator[Bed]:
    async def sleep(seconds: float) -> None:
        (slept if slept is not None else []).append(seconds)

    app = web.Application()
    app.router.add_get("/{tail:.*}", fake.handle)
    registry = CollectorRegistry()
    async with (
        TestServer(app) as server,
        PrometheusApi(PrometheusSettings(f"http://127.0.0.1:{server.port}", **settings)) as api,
    ):
        metrics = SourceMetrics(registry, clock=lambda: now[0])
        yield Bed(
            fake, PrometheusSource(api, metrics, clock=lambda: now[0], monotonic=lambda: now[0], sleep=sleep), registry
        )


async def test_polls_follow_each_other_without_holes() -> None:
    now = [T + 630.0]
    async with bed(FakePrometheus(), now) as b:
        first = [s for s in await b.source.poll() if s.namespace == "shop"]
        # The newest minute that is asked for is 30 s ago; five minutes of overlap before five minutes at the start.
        assert [s.t_s for s in first] == [T + 60 * minute for minute in range(1, 11)]
        assert all(s.window_s == 60 and s.cpu == pytest.approx(100.0) and s.memory == 1e6 for s in first)
        assert await b.source.poll() == ()  # no new minute
        now[0] += 125
        assert sorted({s.t_s for s in await b.source.poll()}) == [T + 660, T + 720]
        assert b.value("source_up") == 1


async def test_what_comes_late_to_prometheus_is_still_seen() -> None:
    fake, now = FakePrometheus(known_until_s=T + 600), [T + 630.0]
    async with bed(fake, now) as b:
        await b.source.poll()
        now[0] += 120
        assert await b.source.poll() == []  # nothing newer than T + 600 has arrived; no zeros either
        fake.known_until_s = T + 10 * DAY_S
        now[0] += 60
        assert sorted({s.t_s for s in await b.source.poll()}) == [T + 660, T + 720, T + 780]


async def test_an_outage_is_caught_up_in_bounded_steps() -> None:
    now = [T + 630.0]
    async with bed(FakePrometheus(), now, chunk_s=3600) as b:
        await b.source.poll()
        now[0] += 3 * 3600
        times = [sorted({s.t_s for s in await b.source.poll()}) for _ in range(4)]
        assert [(len(of_poll), of_poll[-1]) for of_poll in times[:3]] == [
            (60, T + 600 + hour * 3600) for hour in (1, 2, 3)
        ]
        assert times[3] == []


async def test_a_failure_is_counted_and_asked_again_later(caplog: pytest.LogCaptureFixture) -> None:
    fake, now = FakePrometheus(failures=[error(503, "starting up")]), [T + 630.0]
    async with bed(fake, now) as b:
        assert await b.source.poll() == ()
        assert await b.source.poll() == ()  # waits
        assert len(fake.headers) == 1
        assert b.value("source_up") == 0
        assert b.value("source_errors_total", error="PrometheusError") == 1
        now[0] += 5
        assert len(await b.source.poll()) == 20
    assert "503 starting up; look at the log of Prometheus" in caplog.text


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "set token_file"), (403, "set token_file"), (404, "check the address"), (400, "check the extra selector")],
)
async def test_errors_name_their_remedy(status: int, remedy: str, caplog: pytest.LogCaptureFixture) -> None:
    async with bed(FakePrometheus(failures=[error(status)]), [T + 630.0]) as b:
        await b.source.poll()
    assert remedy in caplog.text


@pytest.mark.parametrize("text", ["<html>", '{"status":"success"}', '{"data":{"resultType":"vector","result":[]}}'])
async def test_what_is_no_prometheus_is_named(text: str, caplog: pytest.LogCaptureFixture) -> None:
    async with bed(FakePrometheus(failures=[lambda: web.Response(text=text)]), [T + 630.0]) as b:
        assert await b.source.poll() == ()
    assert "Prometheus" in caplog.text


async def test_a_value_that_is_no_number_is_an_error_and_nothing_more() -> None:
    series = {"metric": {"namespace": "shop"}, "values": [[T, "many"]]}
    body = json.dumps({"data": {"resultType": "matrix", "result": [series]}})
    async with bed(FakePrometheus(failures=[lambda: web.Response(text=body)]), [T + 630.0]) as b:
        assert await b.source.poll() == ()


async def test_nothing_to_be_found_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [T + 630.0]
    async with bed(FakePrometheus(namespaces=[]), now) as b:
        for _ in range(3):
            assert list(await b.source.poll()) == []
            now[0] += 60
    assert caplog.text.count("/metrics/cadvisor") == 1


async def test_a_cluster_that_is_too_large_is_asked_for_by_namespace_and_in_parts() -> None:
    # 13 steps of an hour's chunk, of two namespaces 26: over 8 points, by namespace 13 as well, so in halves of 6 and 6 steps (7 points).
    fake = FakePrometheus(max_points=8)
    async with bed(fake, [T + 10 * DAY_S], chunk_s=3600) as b:
        samples = [s for batch in [list(x) async for x in b.source.back_fill(T, T + 7200)] for s in batch]
    for namespace in ("bank", "shop"):
        assert [(s.t_s, s.window_s) for s in samples if s.namespace == namespace] == [
            (T + 300 * step, 300) for step in range(1, 25)
        ]
    whole = [query for query, _, _ in fake.asked if 'namespace!=""' in query]
    assert len(whole) == 1  # remembered: not tried again


async def test_as_many_namespaces_are_asked_for_at_a_time_as_fit() -> None:
    # An hour is 13 points for each of 60 namespaces: of 200 points, 15 namespaces fit.
    fake = FakePrometheus(namespaces=[f"team-{number:02}" for number in range(60)], max_points=200)
    async with bed(fake, [T + 10 * DAY_S], chunk_s=3600) as b:
        first = [s for batch in [list(x) async for x in b.source.back_fill(T, T + 3600)] for s in batch]
        asked = len(fake.asked)
        second = [s for batch in [list(x) async for x in b.source.back_fill(T + 3600, T + 7200)] for s in batch]
    for samples in (first, second):
        assert sorted((s.namespace, s.t_s) for s in samples) == sorted({(s.namespace, s.t_s) for s in samples})
        assert len(samples) == 60 * 12
    # The hour before is asked for as well: 25 points, so that 8 namespaces fit. Six queries for each of some eight groups, and a few
    # that were too much: far from six for each namespace.
    assert len(fake.asked) - asked < 70


async def test_one_step_that_is_too_much_ends_the_back_fill_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    async with bed(FakePrometheus(max_points=1), [T + DAY_S], slept, chunk_s=3600) as b:
        assert [x async for x in b.source.back_fill(T, T + 7200)] == []
        assert b.source.back_filled_until_s is None
    assert "--query.max-samples" in caplog.text
    assert slept == []  # the same question would get the same answer


async def test_a_back_fill_waits_out_failures_and_resumes() -> None:
    slept: list[float] = []
    fake = FakePrometheus(failures=[error(503), error(503)])
    async with bed(fake, [T + DAY_S], slept, chunk_s=3600) as b:
        count = sum([len(x) async for x in b.source.back_fill(T, T + 7200)])
        assert count == 2 * 24
        assert b.source.back_filled_until_s == T + 7200
        assert b.value("back_fill_progress") == 1
        assert slept == [5.0, 10.0]


async def test_a_back_fill_stops_after_six_failures_and_says_how_far_it_came() -> None:
    fake, slept = FakePrometheus(), list[float]()
    async with bed(fake, [T + DAY_S], slept, chunk_s=3600) as b:
        batches = []
        async for batch in b.source.back_fill(T, T + 3 * 3600):
            batches.append(batch)
            if len(batches) == 1:
                fake.failures = [error(500)] * 6
        assert (len(batches), len(slept)) == (1, 5)
        assert b.source.back_filled_until_s == T + 3600
        assert b.value("back_fill_progress") == pytest.approx(1 / 3)
        rest = [s async for x in b.source.back_fill(T + 3600, T + 3 * 3600) for s in x]
        assert len(rest) == 2 * 24


async def test_no_chunk_reaches_over_midnight() -> None:
    fake = FakePrometheus()
    async with bed(fake, [T + 10 * DAY_S], chunk_s=6 * 3600) as b:
        async for _ in b.source.back_fill(T - 7 * 3600, T + 3600):
            pass
    spans = sorted({(start - T, end - T) for _, start, end in fake.asked})
    # The first one also looks for what was read last before it.
    assert spans == [(-8 * 3600, -3600), (-3600, 0), (0, 3600)]


async def windows(source: PrometheusSource, since_s: int, until_s: int) -> list[tuple[int, int]]:
    """From when to when, of one namespace."""
    batches = [list(batch) async for batch in source.back_fill(since_s, until_s)]
    return [(s.t_s - s.window_s - T, s.t_s - T) for batch in batches for s in batch if s.namespace == "shop"]


@pytest.mark.parametrize("max_points", [10**9, 3])
async def test_a_gap_is_bridged_wherever_the_past_is_cut(max_points: int) -> None:
    # Read at 2700 and next at 4500; chunks of an hour, and in the second case every second step, are cut within. Steps are 300 s.
    fake = FakePrometheus(gap=(T + 2700, T + 4500), max_points=max_points)
    steps = [(at, at + 300) for at in range(0, 7200, 300)]
    expected = [step for step in steps if not 2700 <= step[0] < 4500]
    expected.insert(9, (2700, 4500))
    async with bed(fake, [T + DAY_S], chunk_s=3600) as b:
        assert await windows(b.source, T, T + 7200) == expected
    # Stopped and taken up again in the gap, by another process.
    async with bed(fake, [T + DAY_S], chunk_s=3600) as b:
        before = await windows(b.source, T, T + 3600)
    async with bed(fake, [T + DAY_S], chunk_s=3600) as b:
        assert before + await windows(b.source, T + 3600, T + 7200) == expected


async def test_a_live_gap_is_bridged_however_long_it_was_polled_in_vain() -> None:
    now = [T + 630.0]
    async with bed(FakePrometheus(gap=(T + 600, T + 2400)), now) as b:
        await b.source.poll()
        found = []
        while now[0] < T + 2700:
            now[0] += 60
            found += [(s.window_s, s.t_s - T) for s in await b.source.poll() if s.namespace == "shop"]
        assert found == [(1800, 2400)] + [(60, at) for at in range(2460, 2701, 60)]


async def test_live_samples_follow_a_back_fill() -> None:
    now = [T + DAY_S + 30.0]
    async with bed(FakePrometheus(), now) as b:
        async for _ in b.source.back_fill(T, T + DAY_S - 3600):
            pass
        times = {s.t_s for s in await b.source.poll()}
        # From the overlap before the end of the back-fill until now.
        assert (min(times), max(times)) == (T + DAY_S - 3600 - 240, T + DAY_S)


async def test_credentials_and_tenant_are_sent(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    fake, now = FakePrometheus(), [T + 630.0]
    async with bed(fake, now, token_file=token, tenant="team-a") as b:
        await b.source.poll()
        token.write_text("second\n")  # rotated
        now[0] += 60
        await b.source.poll()
    assert fake.headers[0]["Authorization"] == "Bearer first"
    assert fake.headers[-1]["Authorization"] == "Bearer second"
    assert fake.headers[0]["X-Scope-OrgID"] == "team-a"


async def test_a_token_that_cannot_be_read_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with bed(FakePrometheus(), [T + 630.0], token_file=tmp_path / "none") as b:
        assert await b.source.poll() == ()
    assert "mount a token there" in caplog.text


async def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    api = PrometheusApi(PrometheusSettings("https://prometheus", ca_file=tmp_path / "ca.pem"))
    with pytest.raises(PrometheusError, match="ca_file"):
        await api.__aenter__()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "prometheus:9090"}, "url"),
        ({"url": "http://prometheus/api/v1"}, "leave /api/v1 out"),
        ({"url": "http://prometheus?x=1"}, "url"),
        ({"selector": "{a}"}, "selector"),
        ({"step_s": 0}, "step_s is 0"),
        ({"timeout_s": -1.0}, "timeout_s"),
        ({"chunk_s": 1000}, "chunk_s 1000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrometheusSettings(**{"url": "http://prometheus:9090", **changes})
