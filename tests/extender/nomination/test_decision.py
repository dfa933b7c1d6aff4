"""Which pods are nominated where, and which nominations are taken back."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from extender.nomination.decision import EXPIRY_SECONDS, PATIENCE_SECONDS, Nomination, Nominations
from stowplan.model.pod import Pod
from tests.support.extender import Clock, pod, signature


@dataclass
class Slots:
    """A plan that sends every pod to one node."""

    node: str = "n1"
    kept: set[str] = field(default_factory=lambda: {"n1", "n2"})

    def target(self, _pod: Pod) -> str:
        """Where every pod goes."""
        return self.node

    def holds(self, _pod: Pod, node: str) -> bool:
        """Whether the plan knows the node still."""
        return node in self.kept


class Desk:
    """Nominations with a clock at hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.slots = Slots()
        self.nominations = Nominations(self.clock)

    def look(self, *pods: Pod, limit: int = 10) -> tuple[list[str], list[str]]:
        """UIDs nominated and cleared; nominations count as written, clearings as carried out."""
        changes = self.nominations.changes(pods, self.slots, limit)
        for one in changes.nominate:
            self.nominations.made(one)
        for one in changes.clear:
            self.nominations.gone(one.uid)
        return [one.uid for one in changes.nominate], [one.uid for one in changes.clear]

    def nominated(self, *pods: Pod) -> None:
        """The pods have waited and are nominated."""
        self.look(*pods)
        self.clock.now += PATIENCE_SECONDS
        assert self.look(*pods) == ([one.uid for one in pods], [])


def test_a_pod_is_nominated_once_and_only_after_it_has_waited() -> None:
    desk = Desk()

    assert desk.look(pod("a")) == ([], [])
    desk.clock.now += PATIENCE_SECONDS - 0.01
    assert desk.look(pod("a")) == ([], [])
    desk.clock.now += 0.01
    assert desk.look(pod("a")) == (["a"], [])
    assert desk.look(pod("a", nominated_node="n1")) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"nominated_node": "elsewhere"},
        {"node": "n1"},
        {"gated": True},
        {"held": True},
        {"deleting": True},
        {"sig": signature(unplannable="resource claims")},
    ],
)
def test_a_pod_that_has_a_value_or_does_not_wait_or_cannot_be_planned_is_left_alone(changes: dict[str, object]) -> None:
    desk = Desk()
    odd = pod("a", **changes)  # type: ignore[arg-type]  # fields by name

    desk.look(odd)
    desk.clock.now += PATIENCE_SECONDS

    assert desk.look(odd) == ([], [])


def test_without_a_slot_nothing_is_nominated() -> None:
    desk = Desk()
    desk.slots.node = ""
    desk.look(pod("a"))
    desk.clock.now += PATIENCE_SECONDS

    assert desk.look(pod("a")) == ([], [])


def test_the_important_and_the_old_come_first_and_the_limit_holds() -> None:
    desk = Desk()
    pods = [
        pod("young", created_s=20),
        pod("old", created_s=10),
        pod("important", signature(priority=5), created_s=30),
    ]
    desk.look(*pods)
    desk.clock.now += PATIENCE_SECONDS

    assert desk.look(*pods, limit=2) == (["important", "old"], [])
    assert desk.look(*pods, limit=2) == (["young"], [])


def test_a_nomination_is_taken_back_when_the_plan_no_longer_means_it() -> None:
    desk = Desk()
    desk.nominated(pod("a"))
    desk.slots.kept = set()

    assert desk.look(pod("a", nominated_node="n1")) == ([], ["a"])
    assert desk.nominations.own == []


def test_a_nomination_that_leads_to_nothing_expires_and_is_not_repeated() -> None:
    desk = Desk()
    desk.nominated(pod("a"))
    desk.clock.now += EXPIRY_SECONDS + 1

    assert desk.look(pod("a", nominated_node="n1")) == ([], ["a"])
    desk.clock.now += EXPIRY_SECONDS
    assert desk.look(pod("a")) == ([], [])


def test_a_clearing_that_was_not_carried_out_is_asked_for_again() -> None:
    desk = Desk()
    desk.nominated(pod("a"))
    desk.slots.kept = set()
    waiting = pod("a", nominated_node="n1")

    assert desk.nominations.changes([waiting], desk.slots, 10).clear
    assert desk.nominations.changes([waiting], desk.slots, 10).clear


@pytest.mark.parametrize(
    "changes",
    [{"nominated_node": "others"}, {"deleting": True}, {"node": "n1"}],
    ids=["overwritten", "deleted", "bound"],
)
def test_a_value_that_is_not_ours_any_more_is_forgotten_without_a_write(changes: dict[str, object]) -> None:
    desk = Desk()
    desk.nominated(pod("a"))

    assert desk.look(pod("a", **changes)) == ([], [])  # type: ignore[arg-type]  # fields by name
    assert desk.nominations.own == []


def test_a_pod_that_is_gone_is_forgotten() -> None:
    desk = Desk()
    desk.nominated(pod("a"))

    assert desk.look() == ([], [])
    assert desk.nominations.own == []


def test_a_value_that_came_after_the_binding_is_taken_back() -> None:
    desk = Desk()
    desk.nominated(pod("a"))

    assert desk.look(pod("a", node="n1", nominated_node="n1")) == ([], ["a"])


def test_what_an_earlier_process_left_is_ours_to_take_back() -> None:
    desk = Desk()
    desk.nominations.adopt([Nomination("a", "shop", "pod-a", "n1"), Nomination("b", "shop", "pod-b", "gone")])
    left = [pod("a", nominated_node="n1"), pod("b", nominated_node="gone")]

    assert desk.look(*left) == ([], ["b"])  # the plan knows n1, and not the other
    assert [one.uid for one in desk.nominations.own] == ["a"]
