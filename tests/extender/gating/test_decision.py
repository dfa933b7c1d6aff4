"""Which gates go, when, and why. Times are derived from the bounds: 0.5 s a pod, 30 s a group, 2 s of grace for the one that leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.gating.decision import (
    FIRST_RETRY_SECONDS,
    GRACE_SECONDS,
    LAST_RETRY_SECONDS,
    UNSEEN_SECONDS,
    Bounds,
    Gates,
    Why,
)
from extender.gating.groups import Need
from extender.plan import EMPTY_PLAN, Plan
from stowplan.model.pod import Gang, Pod
from tests.support.extender import Clock, pod, signature

WEB = signature("web")
GANG = signature("train", gang=Gang("train", least=3))
BOUNDS = Bounds()


class Slots:
    """So many slots a signature, by name of its owner."""

    def __init__(self, plan: Plan = EMPTY_PLAN, **left: int) -> None:
        self.plan = plan
        self.left = Counter({f"ReplicaSet/{owner}": count for owner, count in left.items()})
        self.taken: set[str] = set()
        self.asked = 0

    def target(self, one: Pod) -> str:
        """A node while there are slots."""
        self.asked += 1
        if self.left[one.signature.owner_key] <= 0:
            return ""
        self.left[one.signature.owner_key] -= 1
        self.taken.add(one.uid)
        return "n1"

    def give_back(self, one: Pod) -> None:
        """A slot more."""
        self.left[one.signature.owner_key] += 1
        self.taken.remove(one.uid)


class Desk:
    """Gates with a clock at hand."""

    def __init__(self, need: Need | None = None, *, active: bool = True, started: bool = True) -> None:
        self.clock = Clock()
        self.need = need
        self.gates = Gates(self.clock, BOUNDS, self._need, active=active)
        if started:
            self.look()

    def _need(self, _: Sequence[Pod]) -> Need | None:
        return self.need

    def look(
        self, *pods: Pod, slots: Slots | None = None, generation: int = 10, after: float = 0.0, **how: Any
    ) -> dict[str, Why]:
        """What goes, and why."""
        self.clock.now += after
        known = {one.uid: one for one in pods}
        how = {"leads": True, **how}
        return {r.pod.uid: r.why for r in self.gates.due(known, generation, slots or Slots(), **how)}


def held(uid: str, sig: Any = WEB, **changes: Any) -> Pod:
    """A pod behind our gate."""
    return pod(uid, sig, held=True, **changes)


def plan(generation: int = 10, *, early: bool = False) -> Plan:
    """A plan of the given generation."""
    return Plan(generation=generation, early=early)


def test_a_pod_goes_when_the_plan_has_a_slot_and_not_before() -> None:
    desk = Desk()
    assert desk.look(held("a"), held("b")) == {}

    slots = Slots(plan(9), web=1)

    assert desk.look(held("a"), held("b"), slots=slots) == {
        "a": Why.PLANNED
    }  # the plan is older than the pods: b may get a slot yet
    assert slots.taken == {"a"}


def test_a_pod_goes_when_a_plan_that_knows_it_has_no_place() -> None:
    desk = Desk()
    desk.look(held("a"))

    assert desk.look(held("a"), slots=Slots(plan(9))) == {}
    assert desk.look(held("a"), slots=Slots(plan(10))) == {"a": Why.UNPLACED}


def test_an_early_plan_is_waited_out_but_used_at_the_bound() -> None:
    desk = Desk()
    slots = Slots(plan(early=True), web=1)
    assert desk.look(held("a"), held("b"), slots=slots) == {}
    assert desk.look(held("a"), held("b"), slots=slots, after=BOUNDS.pod) == {}

    found = desk.look(held("a"), held("b"), slots=slots, after=0.01)

    assert found == {"a": Why.PLANNED, "b": Why.BOUND}


def test_without_a_plan_a_pod_goes_at_the_bound() -> None:
    desk = Desk()
    assert desk.look(held("a")) == {}
    assert desk.look(held("a"), after=BOUNDS.pod) == {}
    assert desk.look(held("a"), after=0.01) == {"a": Why.BOUND}


@pytest.mark.parametrize(
    "one",
    [
        held("a", signature(unplannable="resource claims")),
        held("a", signature(scheduler_name="default-scheduler")),
        held("a", gated=True),
        held("a", signature(gang=Gang("g", least=2), unplannable="resource claims")),
    ],
    ids=["unplannable", "another scheduler", "another's gate", "unplannable in a group"],
)
def test_a_pod_that_no_plan_is_about_goes_at_once(one: Pod) -> None:
    assert Desk(Need(complete=False, slots=2)).look(one) == {"a": Why.UNPLANNABLE}


def test_what_is_found_at_the_start_goes_at_once_and_later_ones_do_not() -> None:
    desk = Desk(Need(complete=False, slots=3), started=False)

    assert desk.look(held("a"), held("g", GANG)) == {"a": Why.LEFTOVER, "g": Why.LEFTOVER}
    assert desk.look(held("b")) == {}


def test_a_replica_that_does_not_lead_waits_for_the_one_that_does_and_then_acts() -> None:
    desk = Desk(Need(complete=True, slots=1), started=False)
    pods = held("a"), held("g", GANG)
    full = Slots(plan(), web=9, train=9)
    assert desk.look(*pods, slots=full, leads=False) == {}
    assert desk.look(*pods, slots=full, leads=False, after=BOUNDS.pod + GRACE_SECONDS) == {}
    assert desk.look(*pods, slots=full, leads=False, after=0.01) == {"a": Why.STANDBY}
    assert full.taken == set()
    assert desk.look(*pods, slots=full, leads=False, after=BOUNDS.group) == {"a": Why.STANDBY, "g": Why.STANDBY}


def test_a_replica_that_comes_to_lead_counts_from_when_it_saw_the_pod() -> None:
    desk = Desk(started=False)
    desk.look(held("a"), leads=False)

    assert desk.look(held("a"), after=BOUNDS.pod + 0.01) == {"a": Why.BOUND}


def test_at_the_end_everything_goes() -> None:
    desk = Desk(Need(complete=False, slots=3))
    desk.look(held("a"), held("g", GANG))

    assert desk.look(held("a"), held("g", GANG), ending=True) == {"a": Why.OFF, "g": Why.OFF}
    assert desk.look(held("b"), ending=True, leads=False) == {}  # the other replica goes on planning


def test_switched_off_everything_goes_at_once() -> None:
    assert Desk(active=False).look(held("a"), slots=Slots(plan(), web=1)) == {"a": Why.OFF}


def test_a_complete_group_goes_when_there_is_a_place_for_all_it_needs() -> None:
    desk = Desk(Need(complete=True, slots=3))
    members = [held(uid, GANG) for uid in "abc"]
    few = Slots(plan(), train=2)
    assert desk.look(*members, slots=few) == {}
    assert few.taken == set()  # what was taken for two is given back
    assert few.left["ReplicaSet/train"] == 2

    enough = Slots(plan(11), train=3)

    assert desk.look(*members, slots=enough) == dict.fromkeys("abc", Why.PLANNED)
    assert enough.taken == set("abc")


def test_an_incomplete_group_waits_even_where_there_is_room() -> None:
    desk = Desk(Need(complete=False, slots=3))
    members = [held(uid, GANG) for uid in "ab"]

    assert desk.look(*members, slots=Slots(plan(), train=9)) == {}


def test_members_beyond_the_least_number_go_along() -> None:
    desk = Desk(Need(complete=True, slots=2))

    assert desk.look(*(held(uid, GANG) for uid in "abc"), slots=Slots(plan(), train=2)) == dict.fromkeys(
        "abc", Why.PLANNED
    )


def test_a_group_waits_out_an_early_plan_and_goes_at_its_own_bound() -> None:
    desk = Desk(Need(complete=True, slots=2))
    first, late = held("a", GANG), held("b", GANG)
    slots = Slots(plan(early=True), train=9)
    assert desk.look(first, slots=slots) == {}
    assert desk.look(first, late, slots=slots, after=BOUNDS.group) == {}

    found = desk.look(first, late, slots=slots, after=0.01)

    assert found == {"a": Why.GROUP_BOUND, "b": Why.GROUP_BOUND}  # counted from the first member


def test_a_group_whose_size_nobody_says_is_waited_for_like_single_pods() -> None:
    desk = Desk(None)
    members = [held(uid, GANG) for uid in "ab"]
    assert desk.look(*members) == {}
    assert desk.gates.unsized

    assert desk.look(*members, slots=Slots(plan(9), train=1)) == {"a": Why.PLANNED}
    assert desk.look(members[1], after=BOUNDS.pod + 0.01) == {"b": Why.BOUND}
    assert desk.look() == {}
    assert not desk.gates.unsized


def test_a_write_that_failed_is_tried_again_later_and_later() -> None:
    desk = Desk()
    one = held("a")
    desk.look(one)
    assert desk.look(one, after=1.0) == {"a": Why.BOUND}
    waits = []
    for _ in range(8):
        desk.gates.failed("a")
        start = desk.clock.now
        while not desk.look(one, after=0.05):
            assert desk.clock.now - start < 6
        waits.append(desk.clock.now - start)

    # Doubled from 0.1 s: 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5; seen at steps of 0.05 s
    expected = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LAST_RETRY_SECONDS, LAST_RETRY_SECONDS]
    assert expected[0] == FIRST_RETRY_SECONDS
    assert waits == pytest.approx(expected, abs=0.051)


def test_a_write_whose_effect_is_not_seen_is_repeated() -> None:
    desk = Desk()
    one = held("a")
    desk.look(one)
    desk.look(one, after=1.0)
    desk.gates.written("a")

    assert desk.look(one, after=UNSEEN_SECONDS - 0.1) == {}
    assert desk.look(one, after=0.2) == {"a": Why.BOUND}


def test_overdue_is_who_should_have_been_released_long_ago() -> None:
    desk = Desk()
    pods = [held("a"), held("g", GANG)]
    desk.look(*pods)
    desk.clock.now += BOUNDS.pod + GRACE_SECONDS
    assert not desk.gates.overdue(pods)

    desk.clock.now += 0.1

    assert desk.gates.overdue(pods)
    assert not desk.gates.overdue(pods[1:])  # a group has longer


def test_a_signature_without_a_slot_is_asked_for_once_a_plan() -> None:
    """A thousand held pods must not be looked up fifty times a second."""
    desk = Desk()
    pods = [held(f"p{i}") for i in range(100)]
    slots = Slots(plan(9))
    desk.look(*pods, slots=slots)
    desk.look(*pods, slots=slots)

    assert slots.asked == 1


_UIDS = [f"p{i}" for i in range(5)]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sets(st.sampled_from(_UIDS)),
            st.booleans(),
            st.integers(0, 3),
            st.sampled_from([EMPTY_PLAN, plan(9), plan(11, early=True), plan(11)]),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([None, Need(complete=True, slots=2), Need(complete=False, slots=2)]),
)
def test_law_no_pod_is_kept_beyond_its_bound(
    steps: list[tuple[float, set[str], bool, int, Plan, bool]], need: Need | None
) -> None:
    """Whatever plans come, who leads, and which writes fail: after bound and grace every look lets the pod go."""
    desk = Desk(need, started=False)
    since: dict[str, float] = {}
    tried: dict[str, float] = {}
    for after, there, leads, slots_left, a_plan, fails in steps:
        desk.clock.now += after
        now = desk.clock.now
        since = {uid: since.get(uid, now) for uid in there}
        pods = [held(uid, GANG if index < 2 else WEB) for index, uid in enumerate(_UIDS) if uid in there]
        slots = Slots(a_plan, web=slots_left, train=slots_left)
        found = desk.look(*pods, slots=slots, leads=leads)
        for one in pods:
            bound = BOUNDS.group if one.signature is GANG else BOUNDS.pod
            rested = now - tried.get(one.uid, float("-inf")) > LAST_RETRY_SECONDS
            assert one.uid in found or not rested or now - since[one.uid] <= bound + GRACE_SECONDS
        assert {uid for uid, why in found.items() if why is Why.PLANNED} >= slots.taken
        for uid in found:
            tried[uid] = now
            if fails:
                desk.gates.failed(uid)
            else:
                desk.gates.written(uid)
