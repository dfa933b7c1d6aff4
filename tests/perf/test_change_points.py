"""Change points: found where a level changes, not made by noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.change_points import change_points


def noise(count: int, level: float, spread: float, seed: int) -> list[float]:
    chance = random.Random(seed)  # noqa: S311 - a seeded series
    return [chance.gauss(level, spread) for _ in range(count)]


def test_a_step_is_found_where_it_is() -> None:
    # Ten figures around 1.00, then ten around 1.10: the step is five spreads high.
    (point,) = change_points([*noise(10, 1.0, 0.02, 1), *noise(10, 1.1, 0.02, 2)])
    assert point.index == 10
    assert point.before == pytest.approx(1.0, abs=0.02)
    assert point.after == pytest.approx(1.1, abs=0.02)
    assert point.shift == pytest.approx(0.1, abs=0.03)


def test_two_steps_are_found_by_bisection() -> None:
    figures = [*noise(12, 1.0, 0.01, 3), *noise(12, 1.2, 0.01, 4), *noise(12, 0.9, 0.01, 5)]
    assert [point.index for point in change_points(figures)] == [12, 24]


def test_noise_has_no_level_to_change() -> None:
    # Judged at 1 %: of forty series, four or more with a change would be a thing of one in a thousand.
    found = sum(bool(change_points(noise(20, 1.0, 0.05, seed))) for seed in range(40))
    assert found < 4


def test_one_outlier_is_no_new_level() -> None:
    figures = noise(20, 1.0, 0.01, 6)
    figures[11] = 1.5
    assert not change_points(figures)


def test_a_step_too_small_to_matter_is_left_out() -> None:
    figures = [1.0] * 10 + [1.004] * 10
    assert not change_points(figures)
    assert [point.index for point in change_points(figures, least_shift=0.001)] == [10]


@given(st.lists(st.just(2.5), max_size=40))
def test_a_constant_series_never_changes(figures: list[float]) -> None:
    assert not change_points(figures)


@settings(max_examples=20)
@given(st.integers(0, 50), st.floats(0.1, 50), st.floats(0, 10))
def test_unit_and_offset_do_not_move_a_change_point(seed: int, scale: float, offset: float) -> None:
    figures = [*noise(8, 1.0, 0.02, seed), *noise(8, 2.0, 0.02, seed + 1)]
    moved = [scale * figure + offset for figure in figures]
    # An offset makes a shift smaller beside its level, so shifts of all sizes count: what is asked is where they are.
    found = [[p.index for p in change_points(series, least_shift=0.0)] for series in (figures, moved)]
    assert found == [[8], [8]]


def test_the_same_series_gives_the_same_answer() -> None:
    figures = noise(30, 1.0, 0.3, 9)
    assert change_points(figures) == change_points(figures)
