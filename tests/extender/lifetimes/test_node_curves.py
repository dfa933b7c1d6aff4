"""The chance that a node has emptied, and what a pod adds to it, against products worked out directly."""

from __future__ import annotations

import numpy as np
import pytest

from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.standing import Floats
from extender.lifetimes.survival import BINS, EDGES, WIDTHS, known_survival

HOUR = 3600.0


def until(seconds: float) -> Floats:
    """The curve of a pod that stays exactly so long."""
    curve: Floats = known_survival(np.array([seconds]))[0]
    return curve


def added(curves: NodeCurves, owner: str, seconds: float, rows: list[int]) -> list[float]:
    return [float(value) for value in curves.seconds_added(owner, until(seconds), np.array(rows))]


def test_a_pod_keeps_an_empty_node_for_all_its_life_and_another_for_what_is_left_of_it() -> None:
    curves = NodeCurves()
    curves.place(3, "a", until(HOUR))

    assert added(curves, "b", 2 * HOUR, [2, 3]) == pytest.approx([2 * HOUR, HOUR], rel=1e-4)
    assert added(curves, "b", HOUR / 2, [3]) == pytest.approx([0], abs=1)


def test_of_an_owner_only_the_pod_that_stays_longest_counts() -> None:
    half = np.full(BINS, 0.5)
    two, one = NodeCurves(), NodeCurves()
    two.place(0, "a", half)
    two.place(0, "a", half)
    one.place(0, "a", half)

    assert two.gone[0] == pytest.approx(one.gone[0])
    assert two.gone[0] == pytest.approx(np.full(BINS, 0.5))
    # one more of the owner changes nothing; of another owner it is alone in half of all cases
    assert two.seconds_added("a", half, np.array([0]))[0] == pytest.approx(0)
    assert two.seconds_added("b", half, np.array([0]))[0] == pytest.approx(EDGES[-1] / 4)


def test_loading_is_placing_one_by_one() -> None:
    chance = np.random.default_rng(1)
    rows, owners = chance.integers(0, 6, 40), [f"o{n}" for n in chance.integers(0, 8, 40)]
    survivals = np.sort(chance.random((40, BINS)), axis=1)[:, ::-1]
    loaded, placed = NodeCurves(), NodeCurves()

    loaded.load(rows, owners, survivals.__getitem__)
    for row, owner, survival in zip(rows.tolist(), owners, survivals, strict=True):
        placed.place(row, owner, survival)

    every = np.arange(7)
    assert loaded.gone[:7] == pytest.approx(placed.gone[:7], rel=1e-4)
    for owner in ("o1", "o7", "stranger"):
        one, other = (c.seconds_added(owner, survivals[0], every) for c in (loaded, placed))
        assert one == pytest.approx(other, rel=1e-4, abs=1)
    assert loaded.seconds_left(every)[6] == 0


def test_pods_placed_after_a_load_join_their_siblings() -> None:
    curves = NodeCurves()
    curves.load(np.array([0, 1]), ["a", "b"], np.array([until(HOUR), until(HOUR)]).__getitem__)

    curves.place(0, "a", until(2 * HOUR))

    assert curves.seconds_left(np.array([0, 1])) == pytest.approx([2 * HOUR, HOUR], rel=1e-4)
    assert added(curves, "a", 3 * HOUR, [0]) == pytest.approx([HOUR], rel=1e-4)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_cleared_node_is_empty_for_all_owners(*, fresh: bool) -> None:
    curves = NodeCurves()
    if fresh:
        curves.place(0, "a", until(HOUR))
    else:
        curves.load(np.array([0]), ["a"], np.array([until(HOUR)]).__getitem__)

    curves.clear(0)
    curves.clear(10_000)

    assert added(curves, "a", HOUR, [0]) == pytest.approx([HOUR])
    assert (curves.gone[0] == 1).all()


def test_renumbering_keeps_what_is_known_of_each_node() -> None:
    curves = NodeCurves()
    curves.load(
        np.array([0, 1, 2]), ["a", "b", "c"], np.array([until(HOUR), until(2 * HOUR), until(3 * HOUR)]).__getitem__
    )

    curves.renumber(np.array([4, -1, 0]), 5)

    assert curves.seconds_left(np.arange(5)) == pytest.approx([3 * HOUR, 0, 0, 0, HOUR], rel=1e-4)
    assert added(curves, "c", 4 * HOUR, [0, 4]) == pytest.approx([HOUR, 3 * HOUR], rel=1e-4)
    assert added(curves, "b", HOUR, [1]) == pytest.approx([HOUR])


def test_certain_survival_leaves_something_to_divide_by() -> None:
    curves = NodeCurves()
    for owner in ("a", "b", "c"):
        curves.place(0, owner, np.ones(BINS))

    assert np.isfinite(curves.seconds_added("a", np.ones(BINS), np.array([0]))).all()
    assert curves.seconds_left(np.array([0])) == pytest.approx([WIDTHS.sum()])


def test_a_pod_without_company_counts_for_its_node_and_leaves_no_curve_behind() -> None:
    rows, survival = np.array([0, 0, 1]), np.array([until(HOUR), until(2 * HOUR), until(3 * HOUR)])
    named, unnamed = NodeCurves(), NodeCurves()
    named.load(rows, ["a", "b", "c"], survival.__getitem__)
    unnamed.load(rows, [None, "b", None], survival.__getitem__)

    both = np.array([0, 1])
    assert unnamed.seconds_left(both) == pytest.approx(named.seconds_left(both))
    assert added(unnamed, "b", 3 * HOUR, [0, 1]) == pytest.approx(added(named, "b", 3 * HOUR, [0, 1]))
    assert (len(unnamed._rows), len(named._rows)) == (1, 3)
