"""Nodes in order of expected cost: the planner's values and what has happened since."""

from __future__ import annotations

import numpy as np
import pytest

from extender.candidates import is_occupied
from extender.lifetimes.kin import path_of
from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.survival import BINS, Expectations
from extender.node_ledger import NodeLedger
from extender.snapshot import NodeInfo
from tests.support.extender import GIB, info, node, pod, signature

WEB, JOB = signature("web"), signature("job")


def ledger(*infos: NodeInfo) -> NodeLedger:
    found = NodeLedger()
    found.update({i.node.name: i for i in infos}, {i.node.name: is_occupied(i) for i in infos})
    return found


def ranked(nodes: NodeLedger, uid: str = "new", **options: object) -> list[str]:
    asking = pod(uid, WEB)
    offered = options.get("offered", list(nodes.table.rows))
    held = options.get("held", {})
    return [name for name, _ in nodes.ranked(asking, dict(WEB.requests), offered, held)]  # type: ignore[arg-type]  # of the options


def values(generation: int = 1, hazard: float = 1 / 3600, **pods: str) -> NodeValues:
    """All pods end after an hour on average; `pods`: node -> owner of one that stands there."""
    expectations = Expectations({(): 0}, np.full((1, BINS), hazard))
    rows = {name: row for row, name in enumerate(pods)}
    curves = NodeCurves()
    owners = [path_of(signature(owner), "")[-1] for owner in pods.values()]
    curves.load(np.arange(len(rows)), owners, np.tile(expectations.curve(()), (len(rows), 1)))
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
    assert list(nodes.ranked(asking, dict(asking.signature.requests), ["ok"], {})) == []


def test_a_pod_joins_those_that_will_stay_rather_than_a_fuller_node() -> None:
    """Alone with one pod of a stranger it would keep the node in use longer than beside three."""
    nodes = ledger(info(node("one"), {JOB: 1}), info(node("other"), {WEB: 1, JOB: 1}))
    nodes.use(values(one="job", other="web"))

    # beside its own kind it adds nothing, as pods of one owner end together
    assert ranked(nodes) == ["other", "one"]
    added = dict(nodes.ranked(pod("new", WEB), dict(WEB.requests), ["one", "other"], {}))
    assert added["other"] == 0 < added["one"]
    assert added["one"] == nodes.added_cs(pod("new", WEB), "one")


def test_room_held_counts_as_taken_and_opens_the_node() -> None:
    nodes = ledger(info(node("small", price=50_000)), info(node("held")))

    assert ranked(nodes) == ["small", "held"]
    assert ranked(nodes, held={"held": {"cpu": 1000, "memory": GIB, "pods": 1}}) == ["held", "small"]


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

    found = nodes.ranked(pod("new", WEB), dict(WEB.requests), ["empty", "light", "full"], {}, {"full", "unknown"})

    assert [name for name, _ in found] == ["light", "full", "empty"]
