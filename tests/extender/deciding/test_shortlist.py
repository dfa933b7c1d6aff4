"""The best nodes kept from one pod to the next: whatever happens in between, the same order as without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extender.deciding import node_ledger, shortlist
from extender.deciding.candidates import is_occupied
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.shortlist import Shortlist
from extender.lifetimes.kin import path_of
from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.survival import BINS, Expectations
from tests.support.extender import info, node, pod, signature

if TYPE_CHECKING:
    from collections.abc import Callable

WEB, JOB = signature("web"), signature("job", cpu=500)
NAMES = [f"n{number}" for number in range(12)]
PRICES = (50_000, 192_000)

Step = tuple[str, Any]


def published(generation: int, standing: dict[str, str]) -> NodeValues:
    """All pods end after an hour on average; `standing`: node -> owner of one that stands there."""
    expectations = Expectations({(): 0}, np.full((1, BINS), 1 / 3600))
    curves = NodeCurves()
    owners = [path_of(signature(owner), "")[-1] for owner in standing.values()]
    curves.load(np.arange(len(standing)), owners, np.tile(expectations.curve(()), (len(standing), 1)).__getitem__)
    return NodeValues(generation, {name: row for row, name in enumerate(standing)}, curves, expectations)


NODES = st.sampled_from(NAMES)
STEPS = st.one_of(
    st.tuples(st.just("stand"), st.tuples(NODES, st.integers(0, 3), st.integers(0, 3), st.sampled_from(PRICES))),
    st.tuples(st.just("cordon"), NODES),
    st.tuples(st.just("gone"), NODES),
    st.tuples(st.just("hold"), st.tuples(NODES, st.integers(0, 4))),
    st.tuples(st.just("placed"), st.tuples(NODES, st.sampled_from([WEB, JOB]), st.integers(0, 5))),
    st.tuples(st.just("publish"), st.dictionaries(NODES, st.sampled_from(["web", "job"]))),
    st.tuples(st.just("ask"), st.sets(NODES, max_size=3)),
)


def apply(nodes: NodeLedger, step: Step, at: int) -> None:
    """One thing that happens to a ledger between two calls."""
    kind, what = step
    match kind, what:
        case "stand", (name, webs, jobs, price):
            found = info(node(name, price=price), {s: n for s, n in ((WEB, webs), (JOB, jobs)) if n})
            nodes.update({name: found}, {name: is_occupied(found)})
        case "cordon", name:
            nodes.update({name: info(node(name, unschedulable=True))}, {name: False})
        case "gone", name:
            nodes.update({name: None}, {})
        case "hold", (name, cores):
            nodes.hold(name, {"cpu": cores * 1000, "pods": cores} if cores else {})
        case "placed", (name, placed, number):
            nodes.placed(f"u{number}", placed, name, at)
        case "publish", standing:
            nodes.use(published(at, standing))
        case _:
            pass


@given(
    st.lists(st.tuples(STEPS, st.sets(NODES)), min_size=2, max_size=60),
    st.sampled_from([(3, 4, 2, 2, 1), (5, 7, 1, 30, 2), (64, 128, 16, 32, 16)]),
)
def test_the_order_is_that_of_a_ledger_without_shortlists(
    steps: list[tuple[Step, set[str]]], sizes: tuple[int, int, int, int, int]
) -> None:
    kept, plain = NodeLedger(), NodeLedger()
    size, longest, worn, repaired, missing = sizes
    with (
        patch.object(shortlist, "SIZE", size),
        patch.object(shortlist, "_LONGEST", longest),
        patch.object(node_ledger, "_MISSING", missing),
        patch.object(shortlist, "_WORN", worn),
        patch.object(shortlist, "_REPAIRED", repaired),
    ):
        begin: list[Step] = [("stand", (name, at % 4, at % 3, PRICES[at % 2])) for at, name in enumerate(NAMES)]
        begin.append(("publish", dict.fromkeys(NAMES, "web")))
        for at, (step, taken) in enumerate([*((step, set[str]()) for step in begin), *steps]):
            apply(kept, step, at)
            apply(plain, step, at)
            drain = step[1] if step[0] == "ask" else ()
            for asked_for in (WEB, JOB):
                asking = pod(f"new{at}", asked_for)
                stranger = pod(
                    f"new{at}", replace(asked_for)
                )  # equal, and another object each time: no list is kept for it
                requests = dict(asked_for.requests)
                offered = [name for name in NAMES if name not in taken]
                found = list(kept.ranked(asking, requests, offered, drain))
                assert found == list(plain.ranked(stranger, requests, offered, drain))
                assert taken.isdisjoint(name for name, _, _ in found)


def test_from_the_second_pod_on_only_nodes_that_changed_are_valued() -> None:
    nodes = NodeLedger()
    found = {name: info(node(name), {WEB: 1}) for name in NAMES}
    nodes.update(found, dict.fromkeys(NAMES, True))
    valued: list[int] = []
    repair = Shortlist.repair

    def counting(kept: Shortlist, value: Callable[[int], shortlist.Value | None]) -> None:
        def remembering(row: int) -> shortlist.Value | None:
            valued.append(row)
            return value(row)

        repair(kept, remembering)

    with patch.object(Shortlist, "repair", counting):
        for number in range(4):
            asking = pod(f"new{number}", WEB)
            first, *_ = nodes.ranked(asking, dict(WEB.requests), NAMES)
            nodes.hold(first[0], {"cpu": 100 * (number + 1), "pods": number + 1})

    assert first[0] == "n0"
    assert valued == [0, 0]  # the first call was of a stranger, the second made the list, the others repaired it


def test_a_list_without_limit_holds_all_rows_with_room() -> None:
    rows = np.arange(5)
    costs = np.array([3, 1, 2, 1, 3])

    whole = Shortlist(WEB, (), rows, costs, np.zeros(5, np.int64))

    assert whole.limit is None
    assert [row for row, _ in whole] == [1, 3, 2, 0, 4]


def test_of_equal_costs_the_first_rows_are_kept() -> None:
    count = shortlist.SIZE + 10
    made = Shortlist(WEB, (), np.arange(count), np.full(count, 7), np.zeros(count, np.int64))

    assert [row for row, _ in made] == list(range(shortlist.SIZE))
    assert made.limit == (7, shortlist.SIZE - 1)


def test_nodes_that_get_cheaper_come_in_until_the_list_is_cut_to_its_size_again() -> None:
    count, longest = 3 * shortlist.SIZE, 2 * shortlist.SIZE
    kept = Shortlist(WEB, (), np.arange(count), np.full(count, 7), np.zeros(count, np.int64))

    for row in range(shortlist.SIZE, longest):
        kept.changed(row)
        kept.repair(lambda row: (5, 0) if row >= shortlist.SIZE else (7, 0))
    assert len(list(kept)) == longest  # the dearer ones of the beginning are still there

    kept.changed(longest)
    kept.repair(lambda _: (5, 0))

    # of the 65 that cost 5 the first 64 are left, and of what lies beyond them nothing is known
    assert [row for row, _ in kept] == list(range(shortlist.SIZE, longest))
    assert kept.limit == (5, longest - 1)
