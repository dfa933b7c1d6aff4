"""What is remembered of calls and decisions is bounded and forgets in the right order."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from extender.deciding.decision_log import Decision, DecisionLog
from extender.deciding.outcomes import Outcome
from extender.deciding.recent_calls import RecentCalls
from tests.support.extender import Clock


def decision(uid: str, **changes: Any) -> Decision:
    plain = Decision(uid, "shop", f"pod-{uid}", "filter", 1000, Outcome.GREEDY, "n1", 5, 1, (), 0, "greedy", 0, 0)
    return structs.replace(plain, **changes)


def test_calls_are_remembered_for_the_window() -> None:
    clock = Clock()
    recent = RecentCalls(clock, window=10)
    recent.note("u1")

    clock.now += 9.9
    assert "u1" in recent
    clock.now += 0.1
    assert "u1" not in recent


def test_a_further_call_renews() -> None:
    clock = Clock()
    recent = RecentCalls(clock, window=10)
    recent.note("u1")
    clock.now += 6
    recent.note("u1")
    clock.now += 6

    assert "u1" in recent


def test_beyond_the_limit_the_oldest_calls_are_forgotten() -> None:
    recent = RecentCalls(Clock(), window=10, limit=2)

    for uid in ("u1", "u2", "u3"):
        recent.note(uid)

    assert [uid in recent for uid in ("u1", "u2", "u3")] == [False, True, True]


def test_a_window_of_nothing_remembers_nothing() -> None:
    recent = RecentCalls(Clock(), window=0)

    recent.note("u1")

    assert "u1" not in recent


def test_decisions_are_bounded_in_both_indexes() -> None:
    log = DecisionLog(limit=2)

    for uid in ("u1", "u2", "u3"):
        log.record(decision(uid))

    assert len(log) == 2
    assert log.by_uid("u1") is None
    assert log.by_name("shop", "pod-u1") is None
    assert log.by_name("shop", "pod-u3") is log.by_uid("u3")


def test_a_later_abstention_does_not_hide_the_node_that_was_named() -> None:
    log = DecisionLog()
    log.record(decision("u1"))

    log.record(decision("u1", outcome=Outcome.RETRIED, node=""))
    kept = log.by_uid("u1")
    log.record(decision("u1", node="n2"))
    renewed = log.by_uid("u1")

    assert kept is not None
    assert renewed is not None
    assert (kept.node, renewed.node) == ("n1", "n2")


def test_a_name_used_again_means_the_newer_pod() -> None:
    log = DecisionLog(limit=2)
    log.record(decision("u1", name="db-0"))
    log.record(decision("u2", name="db-0"))
    log.record(decision("u3"))  # pushes u1 out, which must not take the name along

    assert log.by_name("shop", "db-0") is log.by_uid("u2")
