"""Declared risks, the knob, and the controller of the levels."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest

from recommender.risk import LEVEL_MAX, LEVEL_MIN, Levels, Risk, carefulness, declared, start_levels
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import Cost, DeclaredRisk

STANDARD = BUILTIN_CLASSES["standard"]
RISK = Risk(overrun=0.1, unmet=0.1, breach=0.05)


def test_every_built_in_class_declares_a_risk_and_lower_tiers_risk_more() -> None:
    ordered = [declared(BUILTIN_CLASSES[name]) for name in ("critical", "standard", "elastic", "batch", "dev")]
    for safer, riskier in pairwise(ordered):
        assert safer.overrun < riskier.overrun
        assert safer.unmet < riskier.unmet
        assert safer.breach < riskier.breach


def test_a_class_of_ones_own_declares_its_own_risk_and_starts_as_careful_as_its_tier() -> None:
    own = dataclasses.replace(STANDARD, name="payments", tier=0, risk=DeclaredRisk(1, 2, 5))
    assert declared(own) == Risk(0.01, 0.02, 0.05)
    assert start_levels(own) == start_levels(BUILTIN_CLASSES["critical"])
    batch = dataclasses.replace(BUILTIN_CLASSES["batch"], risk=own.risk)
    assert start_levels(dataclasses.replace(own, tier=9)) == start_levels(batch)


def test_no_container_starts_with_more_breach_days_than_a_twentieth() -> None:
    # dev declares 12 % of days: 0.05 / 0.12; standard with 8 % declares 16 % at `save`: 0.05 / 0.16
    own = dataclasses.replace(STANDARD, risk=DeclaredRisk(6, 8, 5))
    assert start_levels(BUILTIN_CLASSES["dev"])[1] == pytest.approx(0.05 / 0.12)
    assert start_levels(own)[1] == 1.0
    assert start_levels(dataclasses.replace(own, risk=DeclaredRisk(6, 8, 8)), Cost.SAVE)[1] == pytest.approx(
        0.05 / 0.16
    )


@pytest.mark.parametrize("fleet", [10, 20, 50, 100, 1000])
@pytest.mark.parametrize("name", list(BUILTIN_CLASSES))
def test_after_the_first_judged_day_a_fleet_meets_the_target_with_nine_tenths_probability(
    fleet: int, name: str
) -> None:
    wclass = BUILTIN_CLASSES[name]
    first = declared(wclass).breach * start_levels(wclass)[1]  # within after one day: no breach on it
    allowed = fleet // 10
    kept = sum(math.comb(fleet, n) * first**n * (1 - first) ** (fleet - n) for n in range(allowed + 1))
    assert kept >= 0.9


def test_the_knob_doubles_or_halves_the_risk_per_setting() -> None:
    assert declared(STANDARD, Cost.BALANCED) == declared(STANDARD)
    assert declared(STANDARD, Cost.SAVE).overrun == pytest.approx(2 * 0.06)
    assert declared(STANDARD, Cost.SAFE).breach == pytest.approx(0.04 / 2)
    # critical is safe by itself, so balanced doubles its risk
    assert declared(BUILTIN_CLASSES["critical"], Cost.BALANCED).unmet == pytest.approx(2 * 0.04)


def levels(value: float = 0.5) -> Levels:
    return Levels.start(1, value, value)


def test_a_day_exactly_as_declared_changes_nothing() -> None:
    of = levels()
    of.learn_cpu(RISK, np.array([0.1]), np.array([0.02]))
    assert of.cpu.tolist() == [0.5]


def test_a_worse_day_tightens_by_the_worse_of_both_measures() -> None:
    of = levels()
    of.learn_cpu(RISK, np.array([0.1]), np.array([0.3]))
    assert of.cpu[0] == pytest.approx(0.5 * np.exp(-0.25 * 2))  # unmet is three times what is declared: error 2


def test_a_quiet_day_relaxes_and_an_unknown_one_does_not() -> None:
    of = levels()
    of.learn_cpu(RISK, np.array([0.0]), np.array([0.0]))
    assert of.cpu[0] == pytest.approx(0.5 * np.exp(0.12))
    before = of.cpu[0]
    of.learn_cpu(RISK, np.array([np.nan]), np.array([np.nan]))
    assert of.cpu[0] == before


def test_a_breach_costs_what_many_quiet_days_give_back() -> None:
    of = levels()
    of.learn_memory(RISK, np.array([True]), np.array([True]))
    assert of.memory[0] == pytest.approx(0.5 * np.exp(-1.0 * 0.95))
    for _ in range(38):  # 38 quiet days x 0.5 x 0.05 = 0.95
        of.learn_memory(RISK, np.array([True]), np.array([False]))
    assert of.memory[0] == pytest.approx(0.5)


def test_a_rate_that_alternates_around_the_declared_one_ends_more_careful() -> None:
    of = levels()
    for day in range(20):
        of.learn_cpu(RISK, np.array([0.15 if day % 2 else 0.05]), np.array([0.0]))
    # errors of +0.5 and -0.5: ten times 0.12 x 0.5 up and 0.25 x 0.5 down
    assert of.cpu[0] == pytest.approx(0.5 * np.exp(10 * 0.5 * (0.12 - 0.25)))


def test_levels_stay_in_their_range() -> None:
    of = levels()
    for _ in range(40):
        of.learn_cpu(RISK, np.array([1.0]), np.array([1.0]))
        of.learn_memory(RISK, np.array([True]), np.array([False]))
    assert of.cpu.tolist() == [LEVEL_MIN]
    for _ in range(400):
        of.learn_memory(RISK, np.array([True]), np.array([False]))
    assert of.memory.tolist() == [LEVEL_MAX]


def test_the_margin_comes_in_as_the_level_tightens() -> None:
    assert carefulness(np.array([1.0, 0.05, 0.002])).tolist() == [0.0, 1.0, 1.0]
    assert carefulness(np.array([np.sqrt(0.05)]))[0] == pytest.approx(0.5)
