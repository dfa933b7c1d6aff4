"""Comparison at equal risk, and the bound of hindsight."""

from __future__ import annotations

import numpy as np
import pytest

from perf.sizing.oracle import oracle
from perf.sizing.scale import measure
from perf.sizing.targets import better, cpu_target, interpolated
from recommender.frontier import sweep
from recommender.judge import Plan, judge
from recommender.replay import replay
from recommender.strategies import strategy
from recommender.usage import Usage
from tests.support.usage import recording


def bursts(workloads: int = 3) -> Usage:
    rng = np.random.default_rng(11)
    return recording({f"w{i}": rng.lognormal(5, 1, 24 * 12).tolist() for i in range(workloads)})


def test_measures_are_interpolated_between_the_nearest_points() -> None:
    points = [
        {"unmet": 0.04, "requested": 100.0},
        {"unmet": 0.02, "requested": 140.0},
        {"unmet": 0.01, "requested": 200.0},
    ]
    assert interpolated(points, "unmet", 0.03) == {"unmet": 0.03, "requested": 120.0}
    assert interpolated(points, "unmet", 0.05) is None
    assert interpolated(points, "unmet", 0.001) is None


def test_a_frontier_saves_nothing_against_itself() -> None:
    usage = bursts()
    points = sweep(usage, 7, risks=(0.3, 0.1, 0.03), overrun_price=0.0).cpu
    found = cpu_target(points, points[1].verdict)
    assert found["saving"] == pytest.approx(0.0, abs=1e-4)
    assert found["overrun_no_worse"]
    assert not found["met"]


def test_overrun_that_is_worse_misses_the_target() -> None:
    usage = bursts()
    points = sweep(usage, 7, risks=(0.3, 0.1, 0.03), overrun_price=0.0).cpu
    doubled = judge(usage, Plan(*(np.full((3, 12), value) for value in (1e6, np.nan, np.nan))), 7)
    assert cpu_target(points, doubled) == {"baseline": doubled.summary()["cpu"], "reached": None, "met": False}


def test_no_worse_overrun_is_preferred_to_a_larger_saving() -> None:
    assert better({"saving": 0.01, "overrun_no_worse": True}, {"saving": 0.3, "overrun_no_worse": False})
    assert better({"saving": 0.3, "overrun_no_worse": True}, {"saving": 0.1, "overrun_no_worse": True})
    assert not better({"met": False}, {"saving": 0.1, "overrun_no_worse": True})


def test_hindsight_needs_fewer_cores_than_a_baseline_at_its_unmet_demand() -> None:
    usage = bursts()
    theirs = judge(usage, replay(usage, strategy("vpa", usage), 7), 7).summary()["cpu"]
    for each_day in (True, False):
        points = oracle(usage, 7, each_day=each_day)
        bound = interpolated([p.verdict.summary()["cpu"] for p in points], "unmet", theirs["unmet"])
        assert bound is not None
        assert bound["requested"] < theirs["requested"]


def test_the_pass_recommends_for_every_container() -> None:
    assert measure(20)["containers"] == 60
