"""The measures, on recordings small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.replaying.judge import Plan, judge
from recommender.replaying.replay import replay
from recommender.replaying.strategy import Requests
from tests.support.usage import recording

GIB = 2**30


def plan(cpu: list[list[float]], memory: list[list[float]] | None = None) -> Plan:
    of_memory = np.array(memory) if memory is not None else np.full_like(np.array(cpu), np.nan)
    return Plan(np.array(cpu), of_memory, of_memory)


def test_cpu_measures_of_one_day() -> None:
    # day 1, hourly: 12 h at 100m, 12 h at 300m, request 200m
    usage = recording({"a": [0.0] * 24 + [100.0] * 12 + [300.0] * 12})
    summary = judge(usage, plan([[np.nan, 200.0]]), 1).summary()["cpu"]
    assert summary["requested"] == pytest.approx(4.8)  # 24 h x 0.2
    assert summary["slack"] == pytest.approx(1.2 / 4.8)  # 12 h x 0.1 unused
    assert summary["overrun_share"] == 0.5
    assert summary["unmet"] == pytest.approx(1.2 / 4.8)  # 12 h x 0.1 above, of 1.2 + 3.6 used


def test_days_before_the_first_judged_one_do_not_count() -> None:
    usage = recording({"a": [500.0] * 24 + [100.0] * 24})
    summary = judge(usage, plan([[1.0, 200.0]]), 1).summary()
    assert summary["cpu"]["unmet"] == 0
    assert summary["coverage"] == 1


def test_overrun_is_a_mean_over_workloads_and_unmet_a_share_of_all_use() -> None:
    usage = recording({"a": [100.0] * 48, "b": [1000.0] * 48})
    summary = judge(usage, plan([[np.nan, 50.0], [np.nan, 2000.0]]), 1).summary()["cpu"]
    assert summary["overrun_share"] == 0.5
    assert summary["overrun_share_p95"] == pytest.approx(0.95)  # linear between 0 and 1
    assert summary["unmet"] == pytest.approx(50 / 1100, rel=1e-5)


def test_a_breach_day_is_a_day_with_a_peak_above_the_limit() -> None:
    memory = [1.0 * GIB] * 24 + [1.0 * GIB] * 23 + [3.0 * GIB] + [1.0 * GIB] * 24
    usage = recording({"a": [1.0] * 72}, {"a": memory})
    summary = judge(usage, plan([[np.nan, 1.0, 1.0]], [[np.nan, 2.0 * GIB, 2.0 * GIB]]), 1).summary()["memory"]
    assert summary["breach_days"] == 1
    assert summary["judged_days"] == 2
    assert summary["requested"] == pytest.approx(96)  # 48 h x 2 GiB
    assert summary["slack"] == pytest.approx(47 / 96, rel=1e-5)  # 47 h with 1 GiB unused


def test_a_change_is_a_value_other_than_the_last_one_given() -> None:
    usage = recording({"a": [1.0] * 24 * 5})
    summary = judge(usage, plan([[np.nan, 5.0, 5.0, 7.0, 7.0]]), 1).summary()
    assert summary["changes_per_workload_day"] == 0.25


def test_days_without_a_recommendation_lower_the_coverage() -> None:
    usage = recording({"a": [1.0] * 72, "b": [1.0] * 72})
    summary = judge(usage, plan([[np.nan, 5.0, 5.0], [np.nan, np.nan, 5.0]]), 1).summary()
    assert summary["coverage"] == 0.75


class Spy:
    """Asks for as many millicores as days it has seen and notes what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.breached: list[bool] = []

    def recommend(self, day: int) -> Requests:
        """Note the call."""
        self.calls.append(("recommend", day))
        return Requests(np.array([float(day)]), np.array([10.0]), np.array([10.0]))

    def observe(self, day: int, requests: Requests, breached: np.ndarray) -> None:
        """Note the call; only days that were judged come with requests."""
        self.calls.append(("observe", day))
        self.breached.append(bool(breached[0]))
        assert np.isnan(requests.cpu[0]) == (day == 0)


def test_a_day_is_judged_before_it_is_learned() -> None:
    usage = recording({"a": [1.0] * 72}, {"a": [5.0] * 48 + [11.0] * 24})
    spy = Spy()
    result = replay(usage, spy, 1)
    assert spy.calls == [("observe", 0), ("recommend", 1), ("observe", 1), ("recommend", 2), ("observe", 2)]
    assert spy.breached == [False, False, True]
    assert result.cpu[0, 1:].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("days", [0, 3])
def test_a_replay_without_a_day_to_judge_is_an_error(days: int) -> None:
    with pytest.raises(ValueError, match="learn days"):
        replay(recording({"a": [1.0] * 72}), Spy(), days)
