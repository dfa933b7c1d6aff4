"""One move for every ten pods that came, and who counts as one that came."""

from __future__ import annotations

from extender.moves.allowance import Allowance, WatchedAllowance


def pods(*ranges: range) -> list[str]:
    return [f"u{number}" for numbers in ranges for number in numbers]


def test_every_tenth_pod_allows_one_move() -> None:
    allowance = Allowance()

    allowance.came(9)
    assert allowance.left == 0
    allowance.came(21)
    assert allowance.left == 3
    allowance.moved(2)
    assert allowance.left == 1
    allowance.moved(2)
    assert allowance.left == 0


def test_pods_that_stand_at_the_first_look_have_come_and_are_counted_once() -> None:
    allowance = WatchedAllowance()

    allowance.look(pods(range(20)))
    allowance.look(pods(range(10, 25)))

    assert allowance.left == 2


def test_pods_that_replace_evicted_ones_have_not_come() -> None:
    allowance = WatchedAllowance()
    allowance.look(pods(range(20)))
    allowance.moved(2)

    # Two of the twelve new ones are the evicted pods again: thirty in all, three moves less the two that were made.
    allowance.look(pods(range(2, 32)))

    assert allowance.left == 1


def test_replacements_that_come_late_have_not_come_either() -> None:
    allowance = WatchedAllowance()
    allowance.look(pods(range(20)))
    allowance.moved(2)

    allowance.look(pods(range(2, 21)))
    allowance.look(pods(range(2, 30)))

    # 20 at first, 10 since, of which 2 replace: 28 came.
    assert allowance.left == 0
    allowance.look(pods(range(2, 32)))
    assert allowance.left == 1
