"""Tables of narrowing and prioritizing; expected nodes follow from prices and room in the comments."""

from __future__ import annotations

from typing import Any

import pytest

from extender.cluster.snapshot import NodeInfo
from extender.deciding.candidates import View, fill_order
from extender.deciding.narrowing import Breadth, narrow
from extender.deciding.outcomes import Outcome
from extender.deciding.prioritize import prioritize
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.plan import EMPTY_PLAN, Plan
from extender.scoring import strategy_named
from stowplan.model.pod import PodSignature, PreferredNodes, SpreadConstraint
from stowplan.model.selectors import NodeSelectorTerm
from tests.support.extender import Clock, info, node, pod, signature, snapshot

WEB = signature("web", cpu=1000)
SOFT = signature("web", cpu=1000, spread=(SpreadConstraint("zone", 1, hard=False, selector=None),))
OTHER = signature("other", cpu=1000)

# Four nodes of 4 cores. `busy` holds 2 cores, `full` 4, the other two are empty, `dear` at twice the price of `empty`.
NODES = (
    info(node("busy"), {OTHER: 2}),
    info(node("full"), {OTHER: 4}),
    info(node("empty")),
    info(node("dear", price=384_000)),
)
NAMES = ["dear", "empty", "full", "busy"]


def view(plan: Plan = EMPTY_PLAN, infos: tuple[NodeInfo, ...] = NODES) -> View:
    held = Reservations(Clock())
    ledger = SlotLedger(held)
    ledger.use(plan)
    seen = snapshot(*infos)
    return View(seen, ledger, held, plan.fill_order or fill_order(seen), strategy_named("price-weighted-best-fit"))


def plan(**slots: int) -> Plan:
    return Plan(generation=1, slots={WEB: slots, SOFT: slots})


def test_own_fill_order_is_in_use_then_cheap_then_dear() -> None:
    assert fill_order(snapshot(*NODES)) == ("full", "busy", "empty", "dear")


def test_the_planned_node_is_the_answer() -> None:
    answer = narrow(pod(sig=WEB), NAMES, view(plan(dear=1, empty=1)))

    assert (answer.names, answer.outcome, answer.chosen) == (["dear"], Outcome.PLANNED, "dear")


def test_a_planned_node_without_room_or_not_offered_is_passed_over_and_counted() -> None:
    # full has no core left, `away` is not offered, `gone` was offered but has been deleted.
    answer = narrow(pod(sig=WEB), [*NAMES, "gone"], view(plan(full=1, away=2, gone=1, empty=1)))

    assert (answer.names, answer.outcome) == (["empty"], Outcome.PLANNED)
    assert (answer.slots.not_offered, answer.slots.stale) == (1, 2)


def test_without_a_slot_the_best_fit_is_the_answer() -> None:
    answer = narrow(pod(sig=WEB), NAMES, view())

    assert (answer.names, answer.outcome) == (["busy"], Outcome.GREEDY)
    assert [option.node for option in answer.options] == ["busy", "empty", "dear"]


def test_slots_that_all_fail_fall_back_to_greedy() -> None:
    answer = narrow(pod(sig=WEB), NAMES, view(plan(full=1)))

    assert (answer.names, answer.outcome, answer.slots.stale) == (["busy"], Outcome.GREEDY, 1)


def test_a_pod_with_soft_preferences_may_choose_among_planned_nodes_in_the_offered_order() -> None:
    two_in_use = (*NODES, info(node("half"), {OTHER: 2}))
    seen = view(plan(half=1, busy=1, empty=1), two_in_use)

    answer = narrow(pod(sig=SOFT), [*NAMES, "half"], seen, Breadth(offers=3))

    assert (answer.names, answer.chosen) == (["busy", "half"], "half")  # `empty` would be opened for a preference


def test_a_soft_preference_does_not_open_a_node() -> None:
    assert narrow(pod(sig=SOFT), NAMES, view()).names == ["busy"]
    # where a node must be opened anyway, there is a choice among those of one price
    three_empty = (*NODES, info(node("blank")))
    assert narrow(pod(sig=SOFT), ["dear", "empty", "blank"], view(infos=three_empty)).names == ["empty", "blank"]


def test_room_that_is_held_is_not_given_twice() -> None:
    # busy has 2 cores left; two pods answered for hold them.
    seen = view()
    seen.reservations.take("a", WEB, "busy")
    seen.reservations.take("b", WEB, "busy")

    assert narrow(pod("c", WEB), NAMES, seen).names == ["empty"]
    assert narrow(pod("b", WEB), NAMES, seen).names == ["busy"]  # its own room


def test_a_node_with_a_reservation_counts_as_in_use() -> None:
    seen = view(infos=(info(node("a")), info(node("b"))))
    seen.reservations.take("u0", WEB, "b")

    assert narrow(pod("u1", WEB), ["a", "b"], seen).names == ["b"]


@pytest.mark.parametrize("change", [{"unschedulable": True}, {"ready": False}])
def test_a_node_that_takes_no_pods_is_not_named(change: dict[str, Any]) -> None:
    seen = view(infos=(info(node("a"), {OTHER: 1}), info(node("b"))))
    cordoned = info(node("a", **change), {OTHER: 1})
    seen = view(infos=(cordoned, seen.snapshot.nodes["b"]))

    assert narrow(pod(sig=WEB), ["a", "b"], seen).names == ["b"]


@pytest.mark.parametrize(
    ("sig", "nominated", "names", "retried", "outcome"),
    [
        (WEB, "", ["busy"], False, Outcome.SINGLE),
        (WEB, "", [], False, Outcome.SINGLE),
        (signature(unplannable="resource claims"), "", NAMES, False, Outcome.UNPLANNABLE),
        (WEB, "busy", NAMES, False, Outcome.NOMINATED),
        (WEB, "", NAMES, True, Outcome.RETRIED),
        (signature(cpu=64_000), "", NAMES, False, Outcome.NO_FIT),
        (WEB, "", ["unknown-1", "unknown-2"], False, Outcome.NO_FIT),
    ],
)
def test_on_doubt_the_names_are_unchanged(
    sig: PodSignature, nominated: str, names: list[str], retried: bool, outcome: Outcome
) -> None:
    asking = pod(sig=sig, nominated_node=nominated)

    answer = narrow(asking, names, view(plan(busy=1)), retried=retried)

    assert answer.names is names
    assert (answer.outcome, answer.chosen) == (outcome, "")


def test_the_greedy_walk_stops_after_enough_candidates() -> None:
    answer = narrow(pod(sig=WEB), NAMES, view(), Breadth(candidates=2))

    assert [option.node for option in answer.options] == ["busy", "empty"]


def test_preferred_nodes_are_a_soft_preference() -> None:
    sig = signature("web", cpu=1000, preferred_nodes=(PreferredNodes(NodeSelectorTerm(), 1),))

    three_empty = (*NODES, info(node("blank")))

    assert len(narrow(pod(sig=sig), ["dear", "empty", "blank"], view(infos=three_empty)).names) == 2


def test_planned_nodes_score_from_ten_and_greedy_ones_below() -> None:
    answer = prioritize(pod(sig=WEB), NAMES, view(plan(dear=1)))

    # slot: dear; then greedy best first without it: busy, empty
    assert answer.scores == (("dear", 10), ("busy", 8), ("empty", 6))
    assert answer.outcome is Outcome.PLANNED


def test_greedy_nodes_score_from_eight() -> None:
    assert prioritize(pod(sig=WEB), NAMES, view(), Breadth(scores=2)).scores == (("busy", 8), ("empty", 6))


@pytest.mark.parametrize(
    ("sig", "retried", "outcome"),
    [
        (signature(unplannable="x"), False, Outcome.UNPLANNABLE),
        (WEB, True, Outcome.RETRIED),
        (signature(cpu=64_000), False, Outcome.NO_FIT),
    ],
)
def test_on_doubt_nothing_is_scored(sig: PodSignature, retried: bool, outcome: Outcome) -> None:
    answer = prioritize(pod(sig=sig), NAMES, view(), retried=retried)

    assert (answer.scores, answer.outcome) == ((), outcome)
