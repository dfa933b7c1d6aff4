"""The best of a family of rules in hindsight, and how sure a saving is."""

from __future__ import annotations

import numpy as np
import pytest

from perf.sizing.causal import Judged, Rule, best, family, outcome
from perf.sizing.uncertainty import cells, interval
from recommender.remembering.history import BANDS
from recommender.replaying.frontier import sweep
from recommender.replaying.judge import judge
from recommender.replaying.replay import replay
from recommender.replaying.strategies import strategy
from recommender.replaying.usage import Usage
from tests.support.usage import recording

DAY = 24


def bursts(workloads: int = 4, days: int = 12) -> Usage:
    rng = np.random.default_rng(11)
    return recording({f"w{i}": rng.lognormal(5, 1, DAY * days).tolist() for i in range(workloads)})


def steady(*levels: float) -> Judged:
    """Containers that use the same all day, on two days."""
    use = np.broadcast_to(np.array(levels)[:, None, None], (len(levels), 2, BANDS))
    return Judged(use, np.full((len(levels), 2), 24.0))


def test_what_requests_come_to_by_hand() -> None:
    # 100m of 150m and 300m of 200m, 48 h each: unmet 50 x 48 of 350 x 48; one of two is above all the time
    found = outcome(steady(150.0, 200.0), np.array([[100.0] * 2, [300.0] * 2]))
    assert found.requested == pytest.approx(400 * 48 / 1000)
    assert found.unmet == pytest.approx(50 / 350)
    assert found.overrun == pytest.approx(0.5)
    assert found.overrun_p95 == pytest.approx(0.95)


def test_the_best_rule_is_scaled_to_the_risk_of_the_baseline_and_no_further() -> None:
    # nothing may be unmet: the rule's 300m and 500m have to become 150m and 250m to hold 150m and 200m: 400m of the baseline's 800m
    rules = [
        Rule("slow", "wasteful", np.array([[300.0] * 2, [300.0 * 5] * 2])),
        Rule("quick", "good", np.array([[300.0] * 2, [500.0] * 2])),
    ]
    found = best(steady(150.0, 200.0), rules, np.full((2, 2), 400.0))
    assert found["saving"] == pytest.approx(0.5, abs=1e-3)
    assert str(found["rule"]).startswith("quick, good, floor 0m, x 0.5")
    # the wasteful one needs 150m and 750m
    assert found["by_decay"] == {"slow": pytest.approx(1 - 900 / 800, abs=1e-3), "quick": found["saving"]}


def test_where_no_rule_keeps_the_risk_nothing_is_claimed() -> None:
    # no factor is above 8 and no floor above 25m: 200m at most
    found = best(steady(250.0), [Rule("any", "tiny", np.full((1, 2), 1e-3))], np.full((1, 2), 400.0))
    assert found == {"saving": None, "rule": None, "by_decay": {"any": None}}


def test_the_family_holds_the_baselines_own_rule_so_that_it_never_saves_less_than_nothing() -> None:
    usage = bursts()
    judged, rules = family(usage, 7)
    for rule in rules[:: len(rules) // 7]:
        saving = best(judged, rules, rule.requests)["saving"]
        assert isinstance(saving, float)
        assert saving > -1e-3  # the factor is found by halving
    assert {rule.requests.shape for rule in rules} == {(4, 5)}


def test_cells_add_up_to_the_verdict() -> None:
    usage = bursts()
    plan = replay(usage, strategy("krr", usage), 7)
    verdict, found = judge(usage, plan, 7), cells(usage, plan.cpu, 7)
    assert found.shape == (5, 4, 5)
    assert found[0].sum(axis=1) == pytest.approx(verdict.cpu_requested)
    assert found[1].sum(axis=1) == pytest.approx(verdict.cpu_unmet)
    assert found[2].sum(axis=1) == pytest.approx(verdict.cpu_used)
    assert found[3].sum(axis=1) == pytest.approx(verdict.overruns)
    assert found[4].sum(axis=1) == pytest.approx(verdict.samples)


def test_a_saving_that_is_the_same_everywhere_is_certain() -> None:
    usage = bursts()
    baseline = cells(usage, replay(usage, strategy("krr", usage), 7).cpu, 7)
    # the same risk with 20 % fewer cores in every cell, and a dearer point at no risk
    cheaper, safe = (
        baseline * np.array([0.8, 1.0, 1.0, 1.0, 1.0])[:, None, None],
        baseline * np.array([2.0, 0.0, 1.0, 0.0, 1.0])[:, None, None],
    )
    for found in interval([cheaper, safe], baseline, draws=50).values():
        assert found["interval_95"] == pytest.approx([0.2, 0.2])
        assert found["standard_error"] == pytest.approx(0.0, abs=1e-9)
        assert (found["reached"], found["target_met"]) == (1.0, 1.0)


def test_a_saving_with_more_overrun_or_too_small_a_one_meets_no_target() -> None:
    usage = bursts()
    baseline = cells(usage, replay(usage, strategy("krr", usage), 7).cpu, 7)
    safe = baseline * np.array([2.0, 0.0, 1.0, 0.0, 1.0])[:, None, None]
    careless = baseline * np.array([0.8, 1.0, 1.0, 1.1, 1.0])[:, None, None]
    small = baseline * np.array([0.96, 1.0, 1.0, 1.0, 1.0])[:, None, None]
    for cheaper in (careless, small):
        assert all(found["target_met"] == 0.0 for found in interval([cheaper, safe], baseline, draws=50).values())


def test_few_containers_leave_a_saving_uncertain_and_one_day_says_nothing_about_days() -> None:
    usage = bursts()
    points = [cells(usage, point.plan.cpu, 11) for point in sweep(usage, 11, breach_risks=()).cpu]
    baseline = cells(usage, replay(usage, strategy("krr", usage), 11).cpu, 11)
    found = interval(points, baseline, draws=200)
    assert set(found) == {"containers"}
    assert found["containers"]["standard_error"] > 0.01
