"""Survival curves learned from the past, and expectations over a node."""

from collections.abc import Hashable

import numpy as np
import pytest

from extender.lifetimes.batch_size import BatchSize
from extender.lifetimes.survival import EDGES, WIDTHS, Expectations, Lifetimes, known_survival


def expectations(lifetimes: Lifetimes, now: float) -> Expectations:
    rates = lifetimes.rates(now)
    return Expectations(lifetimes.groups(), rates)


def expected_s(lifetimes: Lifetimes, path: tuple[str, ...], now: float, age: float) -> float:
    return float(expectations(lifetimes, now).curve(path, age) @ WIDTHS)


def grown_up(lives: list[int], owner: str = "job", most_groups: int = 1000) -> Lifetimes:
    lifetimes = Lifetimes(most_groups)
    for pod, _ in enumerate(lives):
        lifetimes.arrive(pod, ("shape", owner), 0)
    for pod, life in sorted(enumerate(lives), key=lambda entry: entry[1]):
        lifetimes.depart(pod, life)
    return lifetimes


def test_pods_of_an_owner_are_expected_to_live_as_those_before() -> None:
    short, long = grown_up([600] * 40), grown_up([43_200] * 40)

    assert expected_s(short, ("shape", "job"), 600, 0) == pytest.approx(600, rel=0.5)
    assert expected_s(long, ("shape", "job"), 43_200, 0) == pytest.approx(43_200, rel=0.5)


def test_a_pod_that_outlived_the_short_ones_is_expected_to_stay() -> None:
    lifetimes = grown_up([600] * 30 + [86_400] * 10)
    path = ("shape", "job")

    assert expected_s(lifetimes, path, 86_400, 1200) > 2 * expected_s(lifetimes, path, 86_400, 0)


def test_pods_that_still_stand_teach_as_well() -> None:
    lifetimes = Lifetimes()
    lifetimes.arrive(0, ("shape", "web"), 0)
    lifetimes.arrive(1, ("shape", "job"), 0)
    lifetimes.depart(1, 300)

    early, late = (expected_s(lifetimes, ("shape", "web"), now, 0) for now in (600, 86_400))

    assert late > early


@pytest.mark.parametrize("path", [("shape", "newcomer"), ("other shape", "newcomer")])
def test_an_owner_without_history_takes_after_the_nearest_group_above(path: tuple[str, ...]) -> None:
    lifetimes = grown_up([600] * 40)

    above = path[:1] if path[0] == "shape" else ()

    assert expected_s(lifetimes, path, 600, 0) == expected_s(lifetimes, above, 600, 0)


def test_survivors_teach_from_when_they_were_first_seen() -> None:
    """Half of all pods end after ten minutes; who looks for the first time after a day sees only the other half."""
    lifetimes = Lifetimes()
    for number in range(40):
        lifetimes.arrive(f"old-{number}", ("shape", "web"), 0, seen=86_400)
    for number in range(20):
        lifetimes.arrive(number, ("shape", "web"), 86_400)
        lifetimes.depart(number, 87_000)
    for number in range(20, 40):
        lifetimes.arrive(number, ("shape", "web"), 86_400)

    curve = expectations(lifetimes, 90_000).curve(("shape", "web"))

    assert float(curve[EDGES[:-1] >= 600][0]) == pytest.approx(0.5, abs=0.1)


def test_a_pod_that_is_forgotten_teaches_nothing() -> None:
    lifetimes = grown_up([600] * 40)
    before = lifetimes.rates(600)

    lifetimes.arrive("never ran", ("shape", "job"), 0)
    lifetimes.forget("never ran")

    assert (lifetimes.rates(600) == before).all()


def test_groups_are_forgotten_oldest_first_and_never_those_of_pods_that_stand() -> None:
    lifetimes = Lifetimes(most_groups=10)
    lifetimes.arrive("stands", ("shape", "old"), 0)
    for number in range(20):
        lifetimes.arrive(number, ("shape", f"job-{number}"), number)
        lifetimes.depart(number, number + 60)

    lifetimes.rates(100)

    # half of ten are kept by age: the last owners, the shape and all pods among them; "old" because its pod stands
    assert len(lifetimes) <= 10
    assert lifetimes.groups().keys() >= {(), ("shape",), ("shape", "old"), ("shape", "job-19")}
    assert ("shape", "job-0") not in lifetimes.groups()
    lifetimes.depart("stands", 200)


def test_a_deadline_ends_the_curve() -> None:
    lifetimes = grown_up([43_200] * 40)

    curve = expectations(lifetimes, 43_200).curve(("shape", "job"), ends_in=600)

    assert float(curve @ WIDTHS) <= 600
    assert (curve[EDGES[:-1] >= 600] == 0).all()


@pytest.mark.parametrize("remaining", [0.0, 450.0, 5000.0, 100_000.0])
def test_known_departures_keep_their_time(remaining: float) -> None:
    curve = known_survival(np.array([remaining]))

    assert float((curve @ WIDTHS)[0]) == pytest.approx(remaining)


def test_survival_never_rises() -> None:
    lifetimes = grown_up([300, 900, 5000, 40_000])

    curve = expectations(lifetimes, 40_000).curve(("shape", "job"), 700)

    assert (np.diff(curve) <= 0).all()
    assert len(curve) == len(EDGES) - 1


def test_the_more_the_group_above_is_worth_the_less_a_group_departs_from_it() -> None:
    found = []
    for prior in (0.5, 20.0):
        lifetimes = Lifetimes(prior_pods=(1.0, 8.0, prior))
        for pod in range(60):
            lifetimes.arrive(pod, ("shape", "long" if pod % 10 == 0 else "short"), 0)
        for pod in range(60):
            if pod % 10:
                lifetimes.depart(pod, 600)
        for pod in range(0, 60, 10):
            lifetimes.depart(pod, 43_200)
        found.append([expected_s(lifetimes, ("shape", owner), 43_200, 0) for owner in ("short", "long")])

    # six pods of twelve hours: with the shape worth twenty pods they are taken for pods that may end as soon as the others
    assert found[0][1] > 2 * found[1][1]
    # of the short ones there are many, so the prior hardly matters
    assert found[0][0] == pytest.approx(found[1][0], rel=0.5)


def sized(pods: int, owner: str) -> tuple[Hashable, ...]:
    return BatchSize.of(pods).into(("shape", owner))


def test_the_size_of_a_batch_tells_how_long_pods_of_unknown_owners_stay() -> None:
    lifetimes = Lifetimes()
    for number in range(40):
        lifetimes.arrive(("one", number), sized(1, f"single-{number}"), 0)
        lifetimes.arrive(("many", number), sized(50, f"crowd-{number}"), 0)
    for number in range(40):
        lifetimes.depart(("many", number), 600)
        lifetimes.depart(("one", number), 43_000)

    known = expectations(lifetimes, 43_200)
    single, crowd = (float(known.curve(sized(pods, "new")) @ WIDTHS) for pods in (1, 50))

    # twenty pods of prior against forty seen: two thirds of the way to 43,000 and to 600 s
    assert crowd < 0.5 * float(known.curve(("shape", "new")) @ WIDTHS) < single


def test_an_owner_whose_batches_have_sizes_is_found_without_them_until_it_is_forgotten() -> None:
    lifetimes = Lifetimes(most_groups=10)
    lifetimes.arrive("a", sized(1, "web"), 0)
    lifetimes.depart("a", 600)

    groups = lifetimes.groups()
    assert groups["shape", "web"] == groups[sized(1, "web")]
    assert lifetimes.owners() == {groups[sized(1, "web")]: "web"}
    for number in range(10):
        lifetimes.arrive(number, sized(1, f"job-{number}"), 700 + number)
        lifetimes.depart(number, 800 + number)
    lifetimes.rates(1000)
    assert ("shape", "web") not in lifetimes.groups()
    assert ("shape", "job-9") in lifetimes.groups()
