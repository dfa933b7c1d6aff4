"""The grid, and which changes are made."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.sizing.grid import CPU_GRID, MEMORY_GRID, change, rounded, shrink_allowed
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import Step

MIB = 2**20
YES = np.array([True])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 5), (21, 25), (25, 25), (26, 50), (250, 250), (251, 300), (1001, 1100), (4010, 4250), (15_999, 16_000)],
)
def test_cpu_is_rounded_up_to_its_grid(value: float, expected: float) -> None:
    assert rounded(np.array([float(value)]), CPU_GRID).tolist() == [expected]


@pytest.mark.parametrize(("value", "expected"), [(1, 16), (17, 32), (257, 320), (1025, 1152), (4100, 4352)])
def test_memory_is_rounded_up_to_its_grid(value: float, expected: float) -> None:
    assert rounded(np.array([value * MIB], dtype=np.float64), MEMORY_GRID).tolist() == [expected * MIB]


def test_an_unknown_value_stays_unknown() -> None:
    assert np.isnan(rounded(np.array([np.nan]), CPU_GRID)[0])


def changed(
    old: float, new: float, step: Step | None = None, since: float = 1000.0, shrink: np.ndarray = YES
) -> tuple[float, bool, bool]:
    of = change(np.array([old]), np.array([new]), step or Step(), 0.10, np.array([since]), shrink)
    return float(of.value[0]), bool(of.step_limited[0]), bool(of.held[0])


def test_the_first_value_is_taken_as_it_is() -> None:
    assert changed(np.nan, 100.0, since=0.0, shrink=np.array([False])) == (100.0, False, False)


def test_a_small_difference_is_not_worth_a_change() -> None:
    assert changed(100.0, 110.0) == (100.0, False, True)
    assert changed(100.0, 111.0) == (111.0, False, False)


def test_a_step_down_is_bounded_and_a_step_up_is_not() -> None:
    assert changed(1000.0, 100.0) == (700.0, True, False)  # at most 30 % down
    assert changed(100.0, 1000.0) == (1000.0, False, False)
    assert changed(100.0, 1000.0, Step(max_up_percent=50)) == (150.0, True, False)
    assert changed(1000.0, 100.0, Step(max_down_percent=0)) == (100.0, False, False)


def test_the_cool_down_holds_back_steps_down_only() -> None:
    assert changed(1000.0, 500.0, since=23.0) == (1000.0, True, True)
    assert changed(1000.0, 500.0, since=24.0)[0] == 700.0
    assert changed(1000.0, 2000.0, since=0.0)[0] == 2000.0


def test_nothing_shrinks_while_its_cycle_has_not_been_seen() -> None:
    assert changed(1000.0, 500.0, shrink=np.array([False])) == (1000.0, True, True)


def test_a_whole_week_is_needed_unless_latency_is_relaxed() -> None:
    days = np.array([23.0, 24.0, 167.0, 168.0])
    assert shrink_allowed(BUILTIN_CLASSES["standard"], days).tolist() == [False, False, False, True]
    assert shrink_allowed(BUILTIN_CLASSES["batch"], days).tolist() == [False, True, True, True]
