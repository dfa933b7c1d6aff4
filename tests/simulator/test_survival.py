"""Survival curves learned from the past, and expectations over a node."""

import numpy as np
import pytest

from extender.scoring.survival import EDGES, WIDTHS, Lifetimes, known_survival, survival


def expected_s(lifetimes: Lifetimes, group: int, now: int, age: float) -> float:
    return float((survival(lifetimes.rates(now)[[group]], np.array([age])) @ WIDTHS)[0])


def grown_up(lives: list[int], owner: str = "job") -> tuple[Lifetimes, int]:
    lifetimes = Lifetimes()
    for pod, _ in enumerate(lives):
        lifetimes.arrive(pod, ("shape", owner), 0)
    for pod, life in sorted(enumerate(lives), key=lambda entry: entry[1]):
        lifetimes.depart(pod, life)
    now = max(lives)
    return lifetimes, lifetimes.arrive(len(lives), ("shape", owner), now)


def test_pods_of_an_owner_are_expected_to_live_as_those_before() -> None:
    short, group = grown_up([600] * 40)
    long, other = grown_up([43_200] * 40)

    assert expected_s(short, group, 600, 0) == pytest.approx(600, rel=0.5)
    assert expected_s(long, other, 43_200, 0) == pytest.approx(43_200, rel=0.5)


def test_a_pod_that_outlived_the_short_ones_is_expected_to_stay() -> None:
    lifetimes, group = grown_up([600] * 30 + [86_400] * 10)
    now = 86_400

    assert expected_s(lifetimes, group, now, 1200) > 2 * expected_s(lifetimes, group, now, 0)


def test_pods_that_still_stand_teach_as_well() -> None:
    lifetimes = Lifetimes()
    group = lifetimes.arrive(0, ("shape", "web"), 0)
    lifetimes.arrive(1, ("shape", "job"), 0)
    lifetimes.depart(1, 300)

    early, late = expected_s(lifetimes, group, 600, 0), expected_s(lifetimes, group, 86_400, 0)

    assert late > early


def test_an_owner_without_history_takes_after_its_shape() -> None:
    lifetimes, _ = grown_up([600] * 40)
    rows = len(lifetimes.rates(600))

    new = lifetimes.arrive(99, ("shape", "newcomer"), 600)

    assert lifetimes.ancestor(new, rows) == 1  # 0 is all pods, 1 the shape, 2 the first owner


@pytest.mark.parametrize("remaining", [0.0, 450.0, 5000.0, 100_000.0])
def test_known_departures_keep_their_time(remaining: float) -> None:
    curve = known_survival(np.array([remaining]))

    assert float((curve @ WIDTHS)[0]) == pytest.approx(remaining)


def test_survival_never_rises() -> None:
    lifetimes, group = grown_up([300, 900, 5000, 40_000])

    curve = survival(lifetimes.rates(40_000)[[group]], np.array([700.0]))[0]

    assert (np.diff(curve) <= 0).all()
    assert len(curve) == len(EDGES) - 1
