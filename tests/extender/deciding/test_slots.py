"""What is left of a plan."""

from __future__ import annotations

from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.plan import Plan
from tests.support.extender import Clock, signature

WEB = signature("web")
DB = signature("db")


def ledger(clock: Clock | None = None) -> tuple[SlotLedger, Reservations]:
    held = Reservations(clock or Clock(), ttl=5)
    return SlotLedger(held), held


def test_reservations_take_slots_and_give_them_back() -> None:
    clock = Clock()
    slots, held = ledger(clock)
    slots.use(Plan(generation=7, slots={WEB: {"n1": 2, "n2": 1}}))

    held.take("u1", WEB, "n1")
    assert slots.left(WEB, "n1") == 1
    assert slots.left(WEB, "n1", besides="u1") == 2
    held.take("u2", WEB, "n1")
    assert list(slots.nodes(WEB)) == ["n2"]

    clock.now += 5
    held.expire()
    assert list(slots.nodes(WEB)) == ["n1", "n2"]


def test_a_reservation_of_another_signature_takes_no_slot() -> None:
    slots, held = ledger()
    slots.use(Plan(generation=7, slots={WEB: {"n1": 1}}))

    held.take("u1", DB, "n1")

    assert slots.left(WEB, "n1") == 1


def test_a_binding_turns_the_reservation_into_a_used_slot() -> None:
    slots, held = ledger()
    slots.use(Plan(generation=7, slots={WEB: {"n1": 2}}))
    held.take("u1", WEB, "n1")

    held.release("u1")
    slots.bound(WEB, "n1", generation=8)

    assert slots.left(WEB, "n1") == 1


def test_a_late_plan_shows_slots_that_were_used_after_its_snapshot() -> None:
    # Pods bound at generations 5 and 9; the plan was made from generation 7, so only the second one used one of its slots.
    slots, _ = ledger()
    slots.bound(WEB, "n1", generation=5)
    slots.bound(WEB, "n1", generation=9)

    slots.use(Plan(generation=7, slots={WEB: {"n1": 3}}))

    assert slots.left(WEB, "n1") == 2


def test_more_bindings_than_slots_leave_none() -> None:
    slots, _ = ledger()
    slots.use(Plan(generation=1, slots={WEB: {"n1": 1}}))

    slots.bound(WEB, "n1", generation=2)
    slots.bound(WEB, "n1", generation=3)

    assert slots.left(WEB, "n1") == 0
    assert slots.left(DB, "n1") == 0
    assert list(slots.nodes(WEB)) == []


def test_the_same_plan_again_forgets_nothing() -> None:
    slots, _ = ledger()
    plan = Plan(generation=1, slots={WEB: {"n1": 1}})
    slots.use(plan)
    slots.bound(WEB, "n1", generation=2)

    slots.use(plan)

    assert slots.left(WEB, "n1") == 0
