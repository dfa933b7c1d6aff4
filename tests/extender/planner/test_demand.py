"""Waiting and expected pods in one plan, and who goes first where room is short."""

from __future__ import annotations

import dataclasses

from extender.binpacking.planning import make_plan
from extender.cluster.snapshot import Snapshot
from extender.plan import Plan, Unplaced
from extender.planner.demand import Publish, of_waiting, plan_demand, together
from stowplan.model.pod import PodSignature
from tests.support.clusters import make_node, make_signature, make_snapshot

WEB, DB = make_signature("web"), make_signature("db", cpu=3000)


class Desk:
    """Plans made by the real packer, greedily, and the early ones that were published."""

    def __init__(self) -> None:
        self.early: list[Plan] = []
        self.asked: list[Snapshot] = []
        self.compared = 0

    def make(self, snapshot: Snapshot, publish: Publish) -> Plan:
        """As the planner process does; the early plan is the final one."""
        self.asked.append(snapshot)
        plan = make_plan(snapshot, None, {}, time_limit_s=0)
        publish(plan)
        return plan

    def greedy(self, snapshot: Snapshot) -> Plan:
        """To compare with."""
        self.compared += 1
        return make_plan(snapshot, None, {}, time_limit_s=0)

    def plan(self, pending: dict[PodSignature, int], expected: dict[PodSignature, int], cpu: int = 4000) -> Plan:
        """A plan for one node of `cpu` millicores."""
        snapshot = dataclasses.replace(make_snapshot([make_node("n1", cpu=cpu)], pending), expected=expected)
        return plan_demand(snapshot, self.make, self.greedy, self.early.append)


def test_slots_are_planned_for_pods_that_are_still_to_come() -> None:
    desk = Desk()

    plan = desk.plan({WEB: 1}, {WEB: 2, DB: 1}, cpu=8000)

    # 3 x 1 core and 1 x 3 cores fit 8 cores.
    assert plan.slots == {WEB: {"n1": 3}, DB: {"n1": 1}}
    assert [early.slots for early in desk.early] == [plan.slots]
    assert plan.unplaced == ()


def test_without_expected_pods_the_snapshot_is_planned_as_it_is() -> None:
    desk = Desk()

    plan = desk.plan({WEB: 1}, {})

    assert plan.slots == {WEB: {"n1": 1}}
    assert desk.compared == 0


def test_a_pod_that_waits_is_not_left_out_for_one_that_does_not_exist() -> None:
    # First-fit decreasing takes the 3-core pod first; then one core is left for the two 1-core pods that exist.
    desk = Desk()

    plan = desk.plan({WEB: 2}, {DB: 1})

    assert plan.slots == {WEB: {"n1": 2}}
    assert plan.unplaced == ()
    assert [early.slots for early in desk.early] == [{WEB: {"n1": 2}}]  # the other one was never shown


def test_a_pod_that_fits_nowhere_does_not_keep_slots_from_those_to_come() -> None:
    desk = Desk()
    huge = make_signature("huge", cpu=64_000)

    plan = desk.plan({huge: 1}, {WEB: 2})

    assert plan.slots == {WEB: {"n1": 2}}
    assert [(entry.signature, entry.count) for entry in plan.unplaced] == [(huge, 1)]
    assert desk.compared == 1


def test_pods_to_come_that_find_no_room_are_not_called_unplaced() -> None:
    desk = Desk()

    # Four of the seven fit; the one that exists is among them.
    plan = desk.plan({WEB: 1}, {WEB: 6})

    assert plan.placed == 4
    assert plan.unplaced == ()


def test_of_one_signature_the_waiting_pods_come_first() -> None:
    snapshot = dataclasses.replace(make_snapshot([], {WEB: 3}), expected={WEB: 4, DB: 2})
    plan = Plan(1, unplaced=(Unplaced(WEB, 6, "resources", 1), Unplaced(DB, 2, "resources", 1)))

    assert together(snapshot).pending == {WEB: 7, DB: 2}
    # Seven less six have a slot, so two of the three that wait have none.
    assert of_waiting(plan, snapshot).unplaced == (Unplaced(WEB, 2, "resources", 1),)
