"""A whole replay: strategies by name, the result's shape, the frontier and its plot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recommender.replaying.frontier import sweep
from recommender.replaying.plot import write_plot
from recommender.replaying.report import run
from recommender.replaying.strategies import DEFAULT, strategy
from recommender.replaying.usage import Usage
from tests.support.usage import recording

GIB = 2**30


@pytest.fixture(scope="module")
def usage() -> Usage:
    rng = np.random.default_rng(7)
    hours = np.arange(24 * 14)
    daily = 300 + 200 * np.sin(hours / 24 * 2 * np.pi)
    cpu = {f"w{i}": np.maximum(0, daily * (i + 1) * rng.lognormal(0, 0.3, len(hours))).tolist() for i in range(4)}
    memory = {name: (GIB * rng.lognormal(0, 0.1, len(hours))).tolist() for name in cpu}
    return recording(cpu, memory)


def test_the_result_has_the_shape_of_the_contract(usage: Usage) -> None:
    result = run(usage, DEFAULT, 7, with_frontier=True)
    assert list(result["strategies"]) == list(DEFAULT)
    vpa, ours = result["strategies"]["vpa"], result["strategies"]["stowplan/standard"]
    assert set(vpa["cpu"]) == {"requested", "slack", "overrun_share", "overrun_share_p95", "unmet"}
    assert {"requested", "slack", "breach_days"} <= set(vpa["memory"])
    assert {"changes_per_workload_day", "coverage"} <= set(vpa)
    assert set(ours["calibration"]["within"]) == {"cpu", "memory"}
    for resource, measures in (
        ("cpu", {"risk", "requested", "unmet", "overrun_share"}),
        ("memory", {"risk", "requested"}),
    ):
        assert measures <= set(result["frontier"]["stowplan"][resource][0])
    json.dumps(result, allow_nan=False)


def test_a_replay_is_deterministic(usage: Usage) -> None:
    names = ["vpa", "stowplan/batch"]
    assert run(usage, names, 7, with_frontier=False) == run(usage, names, 7, with_frontier=False)


def test_safe_requests_more_than_save(usage: Usage) -> None:
    names = [f"stowplan/elastic/{cost}" for cost in ("safe", "balanced", "save")]
    of = run(usage, names, 7, with_frontier=False)["strategies"]
    for resource in ("cpu", "memory"):
        requested = [of[name][resource]["requested"] for name in names]
        assert requested == sorted(requested, reverse=True)


def test_the_frontier_falls_from_cores_to_risk(usage: Usage) -> None:
    points = sweep(usage, 7, risks=(0.3, 0.1, 0.01), overrun_price=0.0).cpu
    unmet = [point.verdict.summary()["cpu"]["unmet"] for point in points]
    requested = [point.verdict.summary()["cpu"]["requested"] for point in points]
    assert unmet == sorted(unmet, reverse=True)
    assert requested == sorted(requested)


def test_nothing_of_a_judged_day_is_used_for_it(usage: Usage) -> None:
    """Multiplying the use of the last day changes no recommendation for it, of any strategy."""
    last = usage.day == usage.days - 1
    other = Usage(
        usage.names,
        usage.container,
        usage.t_s,
        np.where(last, usage.cpu * 9, usage.cpu),
        np.where(last, usage.memory * 9, usage.memory),
        usage.cpu_provisioned,
        usage.memory_provisioned,
    )
    for name in DEFAULT:
        asked = []
        for of in (usage, other):
            sizer = strategy(name, of)
            nothing = np.full(len(of.names), np.nan)
            for day in range(of.days - 1):
                requests = sizer.recommend(day)
                sizer.observe(day, requests, np.zeros(len(of.names), dtype=bool))
            requests = sizer.recommend(of.days - 1)
            asked.append(np.nan_to_num([requests.cpu, requests.memory, nothing]))
        assert (asked[0] == asked[1]).all(), name


def test_an_unknown_strategy_is_an_error_that_lists_the_names(usage: Usage) -> None:
    for name in ("vpaa", "stowplan/gold", "stowplan/standard/cheap", "stowplan"):
        with pytest.raises(ValueError, match="vpa, krr"):
            strategy(name, usage)


def test_the_plot_is_one_page_with_both_panels(usage: Usage, tmp_path: Path) -> None:
    write_plot(run(usage, ["vpa"], 7, with_frontier=True), tmp_path / "plot.html")
    page = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert "breach days" in page
    assert "unmet demand" in page
    assert "src=" not in page.split("<body>")[1].split("<script")[0]
