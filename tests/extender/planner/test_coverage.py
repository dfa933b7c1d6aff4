"""When a plan still says it all."""

from __future__ import annotations

import dataclasses

import pytest

from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.plan import Plan
from extender.planner.coverage import covers
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature

WEB = PodSignature("shop", (("app", "web"),), (("cpu", 500), ("pods", 1)))
ODD = dataclasses.replace(WEB, labels=(("app", "odd"),), unplannable="resource claims")
NODE = Node("n1", {"cpu": 2000, "pods": 10})
THEN = Snapshot(1, {"n1": NodeInfo(NODE, {}, {})}, {WEB: 3})
PLAN = Plan(1, {WEB: {"n1": 3}})


def now(used: int = 0, **changes: object) -> Snapshot:
    nodes = {"n1": NodeInfo(NODE, {"cpu": used, "pods": 0}, {})}
    return dataclasses.replace(THEN, generation=2, nodes=nodes, **changes)  # type: ignore[arg-type]  # field by name


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [
        (THEN, "nothing happened"),
        (now(pending={WEB: 2}, expected={WEB: 1}), "a slot serves a pod that is still to be created as well"),
        (now(used=500), "three pods of 500 fit beside 500 of 2000"),
        (now(pending={WEB: 1, ODD: 5}), "pods that no plan can place need no slot"),
    ],
)
def test_a_plan_that_is_carried_out_covers(snapshot: Snapshot, why: str) -> None:
    assert covers(PLAN, THEN, snapshot), why


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [
        (now(pending={WEB: 4}), "one pod has no slot"),
        (now(pending={WEB: 3}, expected={WEB: 1}), "one expected pod has no slot"),
        (now(used=600), "three pods of 500 do not fit beside 600 of 2000"),
        (dataclasses.replace(THEN, nodes={}), "the node is gone"),
        (dataclasses.replace(THEN, nodes={"n1": NodeInfo(Node("n1", {"cpu": 2000}), {}, {})}), "the node changed"),
    ],
)
def test_a_plan_that_lacks_something_does_not(snapshot: Snapshot, why: str) -> None:
    assert not covers(PLAN, THEN, snapshot), why


@pytest.mark.parametrize(("ahead", "covered"), [(None, False), (4, False), (3, True), (2, True)])
def test_it_may_be_enough_that_those_who_come_next_have_slots(ahead: int | None, covered: bool) -> None:
    assert covers(PLAN, THEN, now(pending={WEB: 5}), ahead) is covered  # three slots for five pods


def test_who_comes_next_needs_room_all_the_same() -> None:
    assert not covers(PLAN, THEN, now(used=600, pending={WEB: 5}), 3)
