"""Verdicts: pure, on the worst figure, never silent about what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.gates import Direction, Status, Verdict, judge, see_more, sentence, worst_first
from perf.part import Profile
from tests.support.perf import bound, gate, result

FIGURES = st.floats(min_value=-1e6, max_value=1e6)


def verdict_on(data: Mapping[str, Any], **changed: Any) -> Verdict:
    return judge([gate(**changed)], {"packing": result(data)}, Profile.SHORT)[0]


def test_a_figure_within_its_bound_passes_and_says_how_much_is_left() -> None:
    found = verdict_on({"cost": 1.15})
    assert found.status is Status.PASSED
    assert found.distance == pytest.approx(0.05)  # 1.2 - 1.15
    assert not found.broken


def test_a_figure_beyond_its_bound_fails_with_name_bound_figure_and_distance() -> None:
    found = verdict_on({"cost": 1.3})
    assert found.status is Status.FAILED
    # 0.1 beyond the bound is five spreads of 0.02.
    assert sentence(found) == (
        "cost: 1.3 x, must be at most 1.2 (worse by 0.1, 5.0 spreads; measured 1.1 on 2026-11-25): cost over the baseline's"
    )
    assert see_more(found) == "make perf-short PERF='--parts packing'"


def test_the_bound_itself_is_still_good() -> None:
    assert verdict_on({"cost": 1.2}).status is Status.PASSED
    at_least = {"direction": Direction.AT_LEAST, "bounds": {Profile.SHORT: bound(1.0, 1.1)}}
    assert verdict_on({"cost": 1.0}, **at_least).status is Status.PASSED
    assert verdict_on({"cost": 0.99}, **at_least).status is Status.FAILED


@given(FIGURES, FIGURES)
def test_a_better_figure_never_fails_where_a_worse_one_passes(one: float, other: float) -> None:
    worse, better = max(one, other), min(one, other)
    if verdict_on({"cost": worse}).status is Status.PASSED:
        assert verdict_on({"cost": better}).status is Status.PASSED


@given(st.lists(FIGURES, min_size=1))
def test_of_several_figures_the_worst_counts(figures: list[float]) -> None:
    assert verdict_on({"cost": figures}, value=("cost", "*")).value == max(figures)
    at_least = {"direction": Direction.AT_LEAST, "value": ("cost", "*")}
    assert verdict_on({"cost": figures}, **at_least).value == min(figures)


def test_a_baseline_divides_each_figure_or_the_one_at_the_same_place() -> None:
    rows = {"rows": [{"ours": 11, "base": 10}, {"ours": 9, "base": 10}], "all": 20}
    paired = verdict_on(rows, value=("rows", "*", "ours"), over=("rows", "*", "base"))
    assert paired.samples == (1.1, 0.9)
    single = verdict_on(rows, value=("rows", "*", "ours"), over=("all",))
    assert single.samples == (0.55, 0.45)


@pytest.mark.parametrize("data", [{}, {"cost": None}, {"cost": "cheap"}, {"cost": []}])
def test_a_figure_that_is_not_there_breaks_the_run(data: dict[str, object]) -> None:
    found = verdict_on(data)
    assert found.status is Status.MISSING
    assert found.broken
    assert "no number at cost" in sentence(found)


def test_baselines_that_are_zero_or_too_few_are_missing_not_infinite() -> None:
    assert verdict_on({"cost": 1, "base": 0}, over=("base",)).status is Status.MISSING
    assert (
        verdict_on({"cost": [1, 2, 3], "base": [1, 2]}, value=("cost", "*"), over=("base", "*")).status
        is Status.MISSING
    )


def test_a_part_that_failed_breaks_its_gates() -> None:
    (found,) = judge([gate()], {"packing": result(None, error="OSError: no disk")}, Profile.SHORT)
    assert found.status is Status.MISSING
    assert "no disk" in sentence(found)


def test_what_was_not_measured_or_has_no_bound_is_skipped() -> None:
    assert judge([gate()], {}, Profile.SHORT)[0].status is Status.SKIPPED
    assert judge([gate()], {"packing": result({"cost": 9})}, Profile.FULL)[0].status is Status.SKIPPED
    without = verdict_on({"cost": 9}, bounds={})
    assert without.status is Status.SKIPPED
    assert without.value == 9  # still kept for the history
    assert verdict_on({}, bounds={}).status is Status.SKIPPED  # only the other profile measures it


def test_a_target_is_told_apart_from_the_bound() -> None:
    found = verdict_on({"cost": 1.15}, target=1.1)
    assert found.status is Status.PASSED
    assert found.reaches_target is False
    assert verdict_on({"cost": 1.1}, target=1.1).reaches_target is True
    assert verdict_on({"cost": 1.1}).reaches_target is None


def test_broken_gates_come_first() -> None:
    verdicts = judge(
        [gate("a"), gate("b", value=("dear",))], {"packing": result({"cost": 1, "dear": 2})}, Profile.SHORT
    )
    assert [verdict.gate.name for verdict in worst_first(verdicts)] == ["b", "a"]


def test_what_was_measured_elsewhere_than_on_the_sandbox_is_not_judged() -> None:
    (verdict,) = judge([gate()], {"packing": result({"cost": 9.9}, cluster="kind")}, Profile.SHORT)

    assert verdict.status is Status.SKIPPED
    assert "measured in kind" in verdict.note
