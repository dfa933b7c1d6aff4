"""The load generator: what it counts, and that it speaks to a server as the API server does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from perf.admission.load import content_length, drive, summary
from perf.admission.measure import compare, medians
from stowplan.serving.certificates import make_ca, make_leaf
from stowplan.serving.tls import server_context


def test_quantiles_are_nearest_rank() -> None:
    # 1,000 times of 1 to 1,000 microseconds in two seconds.
    found = summary([1000 * n for n in range(1000, 0, -1)], 3, 2.0)
    assert (found.requests, found.failures, found.per_second) == (1000, 3, 500.0)
    assert (found.p50_us, found.p99_us, found.p999_us) == (501.0, 991.0, 1000.0)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=50))
def test_quantiles_are_observed_and_in_order(times: list[int]) -> None:
    found = summary(times, 0, 1.0)
    assert found.p50_us <= found.p99_us <= found.p999_us <= round(max(times) / 1000, 1)


def test_nothing_answered_is_an_error() -> None:
    with pytest.raises(ValueError, match="is the server there"):
        summary([], 0, 1.0)


def test_the_length_of_a_body() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\nX: 1\r\n\r\n") == 17
    with pytest.raises(ValueError, match="no Content-Length"):
        content_length(b"HTTP/1.1 200 OK\r\n\r\n")


def test_ratios_are_taken_round_by_round() -> None:
    baseline = [summary([1000] * n, 0, 1.0) for n in (100, 200, 400)]
    ours = [summary([2000] * n, 1, 1.0) for n in (50, 120, 160)]
    found = compare(baseline, ours)
    # 0.5, 0.6 and 0.4; latency is twice in every round.
    assert (found["throughput_ratio"], found["p50_ratio"], found["rounds"]) == (0.5, 2.0, 3)
    assert found["stowplan"]["failures"] == 3
    assert medians(ours)["per_second"] == 120


async def test_it_drives_a_tls_server_over_kept_connections(tmp_path: Path) -> None:
    peers: set[object] = set()
    statuses = iter([503])

    async def answer(request: web.Request) -> web.Response:
        assert await request.read() == b"{}"
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(status=next(statuses, 200), body=b"ok")

    ca = make_ca("test", datetime.now(UTC))
    (tmp_path / "ca.crt").write_bytes(ca.certificate)
    context = server_context(make_leaf(ca, ["localhost"], datetime.now(UTC)))
    app = web.Application()
    app.router.add_post("/mutate", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    found = await asyncio.wait_for(
        drive(f"https://localhost:{port}/mutate", tmp_path / "ca.crt", b"{}", connections=2, seconds=0.3), 20
    )
    await runner.cleanup()
    assert found.requests > 2
    assert found.failures <= 1  # the 503, unless it fell into the warm-up
    assert len(peers) == 2
