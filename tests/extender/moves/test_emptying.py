"""Which nodes are emptied in which order and where their pods go, on bare numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from extender.moves.emptying import Candidate, Decision, Limits, decide
from extender.moves.room import LOOK_AHEAD_S, Mover, Nodes

HOUR = 3600.0
Standing = Sequence[Sequence[str]]
"""By row the pods on it, each of one core; all nodes have four cores."""


@dataclass
class Rules:
    """Forbids what it is told to; `needs`: a pod that goes nowhere before another has a place."""

    forbidden: set[tuple[str, int]] = field(default_factory=set)
    needs: dict[str, str] = field(default_factory=dict)
    veto: str = ""
    placed: set[str] = field(default_factory=set)

    def attempt(self, candidate: Candidate[str]) -> Rules:
        """The same rules."""
        del candidate
        return self

    def admits(self, pod: str, row: int) -> bool:
        """Whether nobody forbids it."""
        return (pod, row) not in self.forbidden and (pod not in self.needs or self.needs[pod] in self.placed)

    def put(self, pod: str, row: int) -> None:
        """It has a place."""
        del row
        self.placed.add(pod)

    def keep(self) -> str:
        """As told."""
        return self.veto


class Budgets:
    """Moves left by the first letter of a pod's name."""

    def __init__(self, **left: int) -> None:
        self.left = Counter(left)

    def copy(self) -> Budgets:
        """The same."""
        return Budgets(**self.left)

    def refuses(self, pod: str) -> str:
        """Whether none is left."""
        return "used up" if pod[0] in self.left and self.left[pod[0]] <= 0 else ""

    def spend(self, pod: str) -> None:
        """One less."""
        self.left[pod[0]] -= 1


def numbers(standing: Standing, price: Sequence[int] = (), hours: Sequence[float] = ()) -> Nodes:
    count = len(standing)
    used = np.array([1000 * len(pods) for pods in standing], np.int64)
    return Nodes(
        price=np.array(price or [100_000] * count, np.int64),
        cpu=np.full(count, 4000, np.int64),
        memory=np.full(count, 4000, np.int64),
        cpu_left=4000 - used,
        memory_left=4000 - used,
        pods_left=np.full(count, 110, np.int64),
        in_use=used > 0,
        seconds_left=np.array(hours, np.float64) * HOUR if len(hours) else np.full(count, LOOK_AHEAD_S),
    )


def decided(
    standing: Standing,
    *,
    rules: Rules | None = None,
    budgets: Budgets | None = None,
    limits: Limits | None = None,
    **nodes: Any,
) -> Decision[str]:
    candidates = [
        Candidate(row, tuple(Mover(pod, 1000, 1000) for pod in pods)) for row, pods in enumerate(standing) if pods
    ]
    return decide(numbers(standing, **nodes), candidates, rules or Rules(), budgets or Budgets(), limits or Limits())


def test_worth_is_the_price_for_as_long_as_the_node_would_be_in_use_by_pod_moved() -> None:
    # Expected to be saved for each pod moved: 100,000 x 6 h; 300,000 x 4 h / 2, as much; 100,000 x 7 h, which is most. Row 3 has too many.
    standing = [["a"], ["b", "c"], ["d"], ["x", "y", "z"]]

    found = decided(
        standing, price=[100_000, 300_000, 100_000, 100_000], hours=[6, 4, 7, 72], limits=Limits(1, pods_per_node=2)
    )

    assert [emptied.row for emptied in found.emptied] == [2]


def test_a_node_that_runs_empty_by_itself_is_left_alone() -> None:
    found = decided([["a", "b"], ["x"]], hours=[1.9, 72], limits=Limits(pods_per_node=2))

    # Two moves have to save two hours.
    assert found.kept[0].why == "its pods are expected to leave within 1.9 h, too soon for 2 moves to save anything"


def test_a_pod_goes_where_others_stay_as_long_rather_than_to_a_fuller_node_that_goes_soon() -> None:
    # Row 1 is full but for one core and gone in an hour; row 2 has three cores left and stays for two days.
    found = decided([["a"], ["x", "y", "z"], ["w"]], hours=[30, 1, 48], limits=Limits(drains=1, pods_per_node=1))

    (emptied,) = found.emptied
    # Row 2 is worth more (48 h against 30 h), so it is the one that goes, to row 0 where 18 h are added rather than 47 h to row 1.
    assert (emptied.row, emptied.moves) == (2, (("w", 0),))


def test_a_node_is_kept_where_its_targets_would_be_in_use_for_longer_than_it_saves() -> None:
    # Its price for 10 h less one hour for the move is 900,000; the only target costs 200,000 and is kept for 8 h more: 1,600,000.
    dear = decided([["a"], ["x"] * 3], price=[100_000, 200_000], hours=[10, 2], limits=Limits(pods_per_node=1))
    # At 100,000 it would be 800,000.
    cheap = decided([["a"], ["x"] * 3], price=[100_000, 100_000], hours=[10, 2], limits=Limits(pods_per_node=1))

    assert (dear.emptied, dear.kept[0].why) == ((), "its pods would keep other nodes in use for too long")
    assert [emptied.row for emptied in cheap.emptied] == [0]


def test_a_target_stays_as_long_as_the_pod_it_took_so_that_the_next_one_adds_nothing() -> None:
    # Row 2 is gone in an hour. Taking a keeps it for 19 h more, 2,090,000 of the 5,700,000 that row 0 saves. Taking b as well adds nothing;
    # were it charged like a, it would be 2,090,000 of the 1,900,000 that row 1 saves.
    found = decided(
        [["a"], ["b"], ["x", "y"]],
        price=[300_000, 100_000, 110_000],
        hours=[20, 20, 1],
        rules=Rules(forbidden={("a", 1), ("b", 0)}),
        limits=Limits(pods_per_node=1),
    )

    assert [(emptied.row, emptied.moves) for emptied in found.emptied] == [(0, (("a", 2),)), (1, (("b", 2),))]


def test_a_node_that_took_a_pod_is_not_emptied_itself() -> None:
    found = decided([["a"], ["b"]], price=[200_000, 100_000])

    assert [(emptied.row, emptied.moves) for emptied in found.emptied] == [(0, (("a", 1),))]


def test_a_drain_that_fails_spends_no_budget() -> None:
    # Row 0 first (72 h x 300,000), but its pod is forbidden everywhere; the one move that is allowed is left for row 1.
    rules = Rules(forbidden={("a1", 1), ("a1", 2)})

    found = decided(
        [["a1"], ["a2"], ["x"] * 3],
        price=[300_000, 200_000, 100_000],
        rules=rules,
        budgets=Budgets(a=1),
        limits=Limits(pods_per_node=1),
    )

    assert [emptied.row for emptied in found.emptied] == [1]
    assert found.kept[0].why == "its pods do not fit on other nodes in use"


def test_a_budget_that_runs_out_in_the_middle_of_a_node_keeps_it() -> None:
    found = decided([["a1", "a2"], ["x"]], budgets=Budgets(a=1, x=0))

    assert found.emptied == ()
    assert (found.kept[0].why, found.kept[0].pod) == ("used up", "a2")
    assert (found.kept[1].why, found.kept[1].pod) == ("used up", "x")


def test_a_pod_that_waits_for_another_is_tried_again() -> None:
    rules = Rules(needs={"a": "b"})

    found = decided([["a", "b"], ["x", "y"]], price=[300_000, 100_000], rules=rules, limits=Limits(drains=1))

    assert [emptied.moves for emptied in found.emptied] == [(("b", 1), ("a", 1))]


def test_what_the_rules_veto_in_the_end_is_kept_with_their_reason() -> None:
    found = decided([["a"], ["x"]], rules=Rules(veto="the validator says no"))

    assert found.emptied == ()
    assert {kept.why for kept in found.kept.values()} == {"the validator says no"}


def test_no_moves_left_is_no_drain() -> None:
    assert decided([["a"], ["x"]], limits=Limits(moves=0)).emptied == ()
