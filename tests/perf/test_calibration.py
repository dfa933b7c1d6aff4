"""Bounds proposed from measured runs can be written into the file as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.calibration import bound_of, proposal
from perf.gate_file import read_gates
from perf.gates import Direction
from perf.history import Entry
from perf.part import Profile
from tests.support.perf import gate


def entries(values: list[float]) -> list[Entry]:
    return [
        Entry(f"2026-11-{day:02d}T00:00:00Z", "c", Profile.SHORT, "cost", value, (value,), None, "skipped", "A CPU")
        for day, value in enumerate(values, start=1)
    ]


def test_the_margin_is_four_spreads() -> None:
    # 1.0, 1.1, 1.2: mean 1.1, standard deviation 0.1, margin 0.4.
    found = bound_of(entries([1.0, 1.1, 1.2]), Direction.AT_MOST, "make perf")
    assert (found.bound, found.mean, found.spread, found.runs, found.margin) == (1.5, 1.1, 0.1, 3, 0.4)
    assert found.date == "2026-11-03"
    assert bound_of(entries([1.0, 1.1, 1.2]), Direction.AT_LEAST, "make perf").bound == 0.7


def test_a_figure_that_repeats_exactly_still_gets_a_margin() -> None:
    found = bound_of(entries([2.0, 2.0]), Direction.AT_MOST, "make perf")
    assert (found.spread, found.margin, found.bound) == (0.0, 0.04, 2.04)  # 2 % of the mean
    assert bound_of(entries([0.0]), Direction.AT_MOST, "make perf").bound == 0.01


def test_no_run_no_bound() -> None:
    with pytest.raises(ValueError, match="measure first"):
        bound_of([], Direction.AT_MOST, "make perf")


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8), st.sampled_from(Direction))
def test_what_is_proposed_is_accepted(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], side: Direction
) -> None:
    text = proposal([gate(direction=side, bounds={}), gate("unmeasured")], entries(values), Profile.SHORT)
    head = (
        f'[[gate]]\nname="cost"\npart="packing"\nsays="s"\nunit="x"\nvalue=["cost"]\nkind="ratio"\ndirection="{side}"\n'
    )
    path = tmp_path_factory.mktemp("gates") / "gates.toml"
    path.write_text(head + text, encoding="utf-8")
    (read,) = read_gates(path)
    assert read.bounds[Profile.SHORT] == bound_of(entries(values), side, "make perf-short PERF='--parts packing'")
