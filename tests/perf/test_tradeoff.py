"""The curve between price and headroom: distributions in numbers, and that more budget never buys less."""

from __future__ import annotations

import pytest

from perf.instances import Backlog
from perf.tradeoff import plans, replay
from perf.tradeoff.loads import Loads


def test_loads_in_numbers() -> None:
    loads = Loads()
    loads.add([100] * 50 + [700] * 49 + [900])
    # the 50th of 100 is 100, the 99th 700; 50 of 100 are above 650; penalties 49 x 50 and 250 + 2 x 75 = 400 (the knee is 825)
    assert loads.summary() == {
        "load_p50_permille": 100,
        "load_p99_permille": 700,
        "over_bound_p50_permille": 0,
        "over_bound_p99_permille": 50,
        "headroom_p99_permille": 300,
        "nodes_over_bound_permille": 500,
        "penalty_mean": 28.5,
    }
    assert Loads().percentile(99) == 0


def test_a_larger_budget_spends_more_and_has_less_load_to_show_for_it() -> None:
    nothing, much = plans.curve((0, 200), (1,), Backlog(20, 10))
    assert (nothing["unplaced"], much["unplaced"]) == (0, 0)
    assert nothing["usd_per_hour"] <= much["usd_per_hour"] <= 1.2 * nothing["usd_per_hour"]
    assert much["latency_cost"] < nothing["latency_cost"]
    assert nothing["bound_usd_per_hour"] <= nothing["usd_per_hour"]


@pytest.mark.slow
def test_weighing_latency_costs_nodes_and_lowers_load_on_the_trace() -> None:
    packed, headroom = replay.curve((0, 400), (3,))
    assert headroom["usd_per_hour"] > packed["usd_per_hour"]
    assert headroom["penalty_mean"] < packed["penalty_mean"]
    assert (packed["unplaced"], headroom["unplaced"]) == (0, 0)
