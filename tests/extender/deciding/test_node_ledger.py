"""Nodes in order of expected cost: the planner's values and what has happened since."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.cluster.snapshot import NodeInfo
from extender.deciding.candidates import is_occupied
from extender.deciding.node_ledger import NodeLedger
from extender.lifetimes.kin import path_of
from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.survival import BINS, Expectations
from extender.scoring.expected_cost import expected_cost
from extender.scoring.strategy import Candidate
from stowplan.model.resources import add
from tests.support.extender import GIB, info, node, pod, signature

WEB, JOB = signature("web"), signature("job")


def ledger(*infos: NodeInfo) -> NodeLedger:
    found = NodeLedger()
    found.update({i.node.name: i for i in infos}, {i.node.name: is_occupied(i) for i in infos})
    return found


def ranked(nodes: NodeLedger, offered: Sequence[str] = ()) -> list[str]:
    return [name for name, _, _ in nodes.ranked(pod("new", WEB), dict(WEB.requests), offered or list(nodes.table.rows))]


def values(generation: int = 1, hazard: float = 1 / 3600, **pods: str) -> NodeValues:
    """All pods end after an hour on average; `pods`: node -> owner of one that stands there."""
    expectations = Expectations({(): 0}, np.full((1, BINS), hazard))
    rows = {name: row for row, name in enumerate(pods)}
    curves = NodeCurves()
    owners = [path_of(signature(owner), "")[-1] for owner in pods.values()]
    curves.load(np.arange(len(rows)), owners, np.tile(expectations.curve(()), (len(rows), 1)).__getitem__)
    return NodeValues(generation, rows, curves, expectations)


def test_the_fullest_node_in_use_comes_first_and_empty_ones_last() -> None:
    nodes = ledger(info(node("empty")), info(node("light"), {WEB: 1}), info(node("full"), {WEB: 3}))

    assert ranked(nodes) == ["full", "light", "empty"]


def test_nodes_without_room_or_out_of_use_are_left_out() -> None:
    nodes = ledger(
        info(node("packed"), {WEB: 4}), info(node("cordoned", unschedulable=True)), info(node("sick", ready=False)),
        info(node("ok")),
    )  # fmt: skip

    assert ranked(nodes) == ["ok"]
    asking = pod("new", signature(requests=(("cpu", 1), ("example.com/device", 1))))
    assert list(nodes.ranked(asking, dict(asking.signature.requests), ["ok"])) == []


def test_a_pod_joins_those_that_will_stay_rather_than_a_fuller_node() -> None:
    """Alone with one pod of a stranger it would keep the node in use longer than beside three."""
    nodes = ledger(info(node("one"), {JOB: 1}), info(node("other"), {WEB: 1, JOB: 1}))
    nodes.use(values(one="job", other="web"))

    # beside its own kind it adds nothing, as pods of one owner end together
    assert ranked(nodes) == ["other", "one"]
    added = {name: time for name, time, _ in nodes.ranked(pod("new", WEB), dict(WEB.requests), ["one", "other"])}
    assert added["other"] == 0 < added["one"]
    assert added["one"] == nodes.added_cs(pod("new", WEB), "one")


def test_how_long_nodes_are_expected_to_be_in_use() -> None:
    nodes = ledger(info(node("one"), {JOB: 1}), info(node("empty")))
    assert nodes.seconds_left() is None

    nodes.use(values(one="job"))
    left = nodes.seconds_left()

    # An hour on average; the middles of the bins of time give the integral to a few per cent.
    assert left is not None
    assert left["one"] == pytest.approx(3600, rel=0.05)
    assert left["empty"] == 0
    # One of another owner that comes may outlive it: two with a mean of an hour, the longer one an hour and a half.
    nodes.placed("u9", WEB, "one", generation=2)
    longer = nodes.seconds_left()
    assert longer is not None
    assert longer["one"] == pytest.approx(5400, rel=0.05)


def test_room_held_counts_as_taken_and_opens_the_node() -> None:
    nodes = ledger(info(node("small", price=50_000)), info(node("held")))

    assert ranked(nodes) == ["small", "held"]
    nodes.hold("held", {"cpu": 1000, "memory": GIB, "pods": 1})
    assert ranked(nodes) == ["held", "small"]
    nodes.hold("held", {"cpu": 4000, "memory": GIB, "pods": 1})  # as much as it has
    assert ranked(nodes) == ["small"]
    nodes.hold("held", {})
    assert ranked(nodes) == ["small", "held"]


def test_what_is_held_stays_through_changes_of_the_node_and_comes_before_it_too() -> None:
    nodes = ledger(info(node("small", price=50_000)))
    nodes.hold("late", {"cpu": 3500})

    nodes.update({"late": info(node("late"))}, {"late": False})
    assert ranked(nodes) == ["small"]
    nodes.hold("late", {"cpu": 3000})  # one core is left, as asked
    assert ranked(nodes) == ["late", "small"]
    nodes.update({"late": info(node("late"), {WEB: 1})}, {"late": True})
    assert ranked(nodes) == ["small"]
    nodes.hold("late", {})
    nodes.update({"late": None}, {"late": False})
    assert ranked(nodes) == ["small"]


def test_few_offered_nodes_are_ranked_among_themselves() -> None:
    nodes = ledger(*(info(node(f"n{i}"), {WEB: 1 + i % 3}) for i in range(200)))

    # 0, 1 and 2 hold one, two and three pods
    assert ranked(nodes, offered=["n0", "n1", "n2", "unknown"]) == ["n2", "n1", "n0"]
    everything = ranked(nodes)
    assert len(everything) == len(set(everything)) == 200


def test_placements_since_the_publication_are_added_once_and_again_after_the_next() -> None:
    nodes = ledger(info(node("a"), {WEB: 1}), info(node("b"), {WEB: 1}))
    nodes.use(values(generation=5, a="web", b="web"))
    asking = pod("new", signature("stranger"))
    before = nodes.added_cs(asking, "a")

    nodes.placed("u1", JOB, "a", 6)
    once = nodes.added_cs(asking, "a")
    nodes.placed("u1", JOB, "a", 7)

    assert nodes.added_cs(asking, "a") == once < before
    nodes.use(values(generation=5, a="web", b="web"))
    assert nodes.added_cs(asking, "a") == once
    nodes.use(values(generation=7, a="web", b="web"))
    assert nodes.added_cs(asking, "a") == before


def test_a_node_that_goes_leaves_nothing_to_the_one_that_takes_its_row() -> None:
    nodes = ledger(info(node("a"), {WEB: 1}), info(node("b"), {WEB: 1}))
    nodes.use(values(a="web", b="web"))
    nodes.placed("u1", JOB, "a", 9)

    nodes.update({"a": None}, {"a": False})
    nodes.update({"c": info(node("c"), {WEB: 1})}, {"c": True})

    empty = nodes.added_cs(pod("new", signature("stranger")), "c")
    assert empty == pytest.approx(360_000, rel=0.2)  # an hour, as on an empty node
    nodes.update({"unknown": None}, {"unknown": False})
    assert nodes.added_cs(pod("new", WEB), "a") == 0


def test_nodes_that_are_to_run_empty_come_last_among_those_in_use() -> None:
    nodes = ledger(info(node("empty")), info(node("light"), {WEB: 1}), info(node("full"), {WEB: 3}))

    found = list(nodes.ranked(pod("new", WEB), dict(WEB.requests), ["empty", "light", "full"], {"full", "unknown"}))

    assert [name for name, _, _ in found] == ["light", "full", "empty"]
    costs = [cost for _, _, cost in found]
    assert costs == sorted(costs)


@given(
    fills=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), min_size=1, max_size=90),
    held=st.dictionaries(st.integers(0, 89), st.integers(1, 2), max_size=8),
)
def test_the_costs_are_those_of_the_strategy_less_latency_and_ascend(
    fills: list[tuple[int, int, bool]], held: dict[int, int]
) -> None:
    """The walk ends early on the ground of it."""
    infos = [info(node(f"n{i}", price=price * 10_000), {WEB: pods}) for i, (pods, price, _) in enumerate(fills)]
    nodes = ledger(*infos)
    drain = {f"n{i}" for i, (_, _, starved) in enumerate(fills) if starved}
    amounts = {f"n{i}": {key: count * value for key, value in WEB.requests} for i, count in held.items()}
    for name, one in amounts.items():
        nodes.hold(name, one)

    found = list(nodes.ranked(pod("new", WEB), dict(WEB.requests), [i.node.name for i in infos], drain))

    assert [cost for _, _, cost in found] == sorted(cost for _, _, cost in found)
    by_name = {i.node.name: i for i in infos}
    for name, added, cost in found:
        there = by_name[name]
        used = add(there.used, amounts.get(name, {}))
        occupied = is_occupied(there) or name in amounts
        wanted = Candidate(
            dict(WEB.requests), used, there.node.allocatable, there.node.price_micro_usd_per_hour, occupied,
            starved=name in drain, added_cs=added,
        )  # fmt: skip
        assert -expected_cost(wanted) == cost
