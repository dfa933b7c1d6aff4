"""The sentences and summaries that people read."""

from __future__ import annotations

import pytest

from extender.answering.explain import explain_decision, explain_plan, explain_waiting, why
from extender.deciding.candidates import Option
from extender.deciding.decision_log import Decision
from extender.deciding.outcomes import NARROWING, Outcome
from extender.plan import EMPTY_PLAN, Plan, Unplaced
from stowplan.model.resources import Shortfall
from tests.support.extender import pod, signature

OPTIONS = (Option("n1", True, True, 5, 192_000), Option("n2", False, False, 4, 384_000))


def decision(outcome: Outcome = Outcome.PLANNED, node: str = "n1") -> Decision:
    options = OPTIONS if node else ()
    return Decision(
        "u1", "shop", "web-1", "filter", 1000, outcome, node, 40, 1, options, 7, "cp-sat", 2_000_000, 1_900_000
    )


def test_a_planned_node_with_cost_bound_and_gap() -> None:
    # (2.00 - 1.90) / 2.00 = 5 %
    assert why(decision(), "n1") == (
        "shop/web-1 was sent to n1 (0.1920 $/h, already in use) by plan 7 (cp-sat), which costs 2.0000 $/h; leaving "
        "running pods where they are, none can cost less than 1.9000 $/h (gap 5.0 %); next best of 40 nodes: n2 (0.3840 $/h, empty)."
    )


def test_where_the_scheduler_chose_otherwise_it_is_said() -> None:
    assert why(decision(Outcome.GREEDY), "n9").endswith("; the scheduler put it on n9 instead.")


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome not in NARROWING])
def test_every_abstention_has_words(outcome: Outcome) -> None:
    sentence = why(decision(outcome, node=""), "")

    assert sentence.startswith("shop/web-1 was left to the scheduler: ")
    assert outcome.value not in sentence.removeprefix("shop/web-1 was left to the scheduler: ").split(" ")[:1]


def test_the_decision_as_json() -> None:
    seen = explain_decision(decision(), "n1")

    assert seen["plan"] == {
        "generation": 7,
        "source": "cp-sat",
        "cost_per_hour": 2.0,
        "bound_per_hour": 1.9,
        "gap_percent": 5.0,
        "solve_ms": 0,
    }
    assert [option["node"] for option in seen["options"]] == ["n1", "n2"]
    assert (seen["node"], seen["bound_to"], seen["offered"], seen["kept"]) == ("n1", "n1", 40, 1)


def test_the_plan_as_json_names_what_is_unplaced_with_numbers() -> None:
    short = Unplaced(signature("big"), 2, "InsufficientResources", 3, (Shortfall("cpu", 8000, 1000, 4000),))
    plan = Plan(generation=3, slots={signature(): {"n1": 2}}, unplaced=(short,), source="cp-sat", solve_ms=12)

    seen = explain_plan(plan)

    assert (seen["placed"], seen["signatures"], seen["solve_ms"]) == (2, 1, 12)
    assert seen["unplaced"] == [
        {
            "namespace": "shop",
            "owner": "ReplicaSet/big",
            "count": 2,
            "reason": "InsufficientResources",
            "nodes": 3,
            "shortfalls": ["cpu: asked 8, used 1 of 4"],
        }
    ]


def test_a_pod_behind_our_gate_says_what_it_waits_for() -> None:
    told = explain_waiting(pod("u1", held=True), EMPTY_PLAN)

    assert told["why"] == "shop/pod-u1 waits behind its scheduling gate, to be planned."
    assert explain_waiting(pod("u1"), EMPTY_PLAN)["why"] == "shop/pod-u1 waits."


def test_a_pod_that_waits_is_told_the_plan_of_now() -> None:
    plan = Plan(9, source="greedy", cost_micro_usd_per_hour=2_000_000, bound_micro_usd_per_hour=1_500_000, solve_ms=12)

    assert explain_waiting(pod("u1"), plan)["plan"] == {
        "generation": 9,
        "source": "greedy",
        "cost_per_hour": 2.0,
        "bound_per_hour": 1.5,
        "gap_percent": 25.0,  # 0.5 of 2
        "solve_ms": 12,
    }
