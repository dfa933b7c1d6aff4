"""Evictions: a dry run before each, in order, and a node that is uncordoned where it does not work out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from extender.moves.consolidation import Drain, Move
from extender.moves.draining import drain_node
from extender.moves.eviction import Evicted, Outcome, evict
from stowplan.kube.errors import Conflict, KubeError, NotFound, TooManyRequests, Unreachable
from tests.support.extender import pod

A, B = pod("a", node="n1"), pod("b", node="n1")
DRAIN = Drain("n1", 100_000, (Move(A, "n1", "n2"), Move(B, "n1", "n3")))


class Api:
    """Stands in for the client; refuses by (name of the pod, whether it is a dry run)."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures: dict[tuple[str, bool], Exception] = {}
        self.interrupted = False
        """Whether it is interrupted while the answer to the cordon is on its way."""
        self.refusals: dict[tuple[str, bool], int] = {}
        """How often a budget refuses before it allows."""

    async def create(self, path: str, body: Any) -> None:
        """An eviction."""
        name, dry = body["metadata"]["name"], body["deleteOptions"].get("dryRun") == ["All"]
        assert path == f"/api/v1/namespaces/shop/pods/{name}/eviction"
        assert body["deleteOptions"]["preconditions"] == {"uid": name.removeprefix("pod-")}
        self.calls.append(f"{'try' if dry else 'evict'} {name}")
        if self.refusals.get((name, dry), 0):
            self.refusals[name, dry] -= 1
            raise TooManyRequests(429, "TooManyRequests", "budget")
        if (name, dry) in self.failures:
            raise self.failures[name, dry]

    async def patch(self, path: str, body: Any) -> None:
        """A cordon or its end."""
        assert path == "/api/v1/nodes/n1"
        self.calls.append("cordon" if body["spec"]["unschedulable"] else "uncordon")
        if self.interrupted and body["spec"]["unschedulable"]:
            raise asyncio.CancelledError


class Desk:
    """A client and what was told."""

    def __init__(self) -> None:
        self.fake = Api()
        self.told: list[Outcome] = []
        self.naps: list[float] = []

    async def drain(self, *, dry_run: bool, patience: float = 0.0) -> bool:
        """Drain, without waiting."""
        api: Any = self.fake

        def tell(one: Evicted) -> None:
            self.told.append(one.outcome)

        async def sleep(seconds: float) -> None:
            self.naps.append(seconds)

        return await drain_node(
            api, DRAIN, dry_run=dry_run, pause_seconds=1.0, tell=tell, sleep=sleep, patience_seconds=patience
        )


async def test_a_dry_run_changes_nothing() -> None:
    desk = Desk()

    assert await desk.drain(dry_run=True)
    assert desk.fake.calls == ["try pod-a", "try pod-b"]
    assert desk.told == [Outcome.WOULD_EVICT, Outcome.WOULD_EVICT]


async def test_all_are_tried_then_the_node_is_cordoned_then_they_are_evicted_with_a_pause() -> None:
    desk = Desk()

    assert await desk.drain(dry_run=False)
    # The last dry run before each eviction is fresh: the budget may have changed during the pause.
    assert desk.fake.calls == [
        "try pod-a", "try pod-b", "cordon", "try pod-a", "evict pod-a", "try pod-b", "evict pod-b",
    ]  # fmt: skip
    assert desk.naps == [1.0]


async def test_where_one_would_be_refused_none_is_evicted() -> None:
    desk = Desk()
    desk.fake.failures["pod-b", True] = TooManyRequests(429, "TooManyRequests", "budget")

    assert not await desk.drain(dry_run=False)
    assert "cordon" not in desk.fake.calls
    assert desk.told[-1] is Outcome.REFUSED


async def test_where_one_is_refused_after_all_the_node_is_uncordoned() -> None:
    desk = Desk()
    desk.fake.failures["pod-a", False] = TooManyRequests(429, "TooManyRequests", "budget")

    assert not await desk.drain(dry_run=False)
    assert desk.fake.calls == ["try pod-a", "try pod-b", "cordon", "try pod-a", "evict pod-a", "uncordon"]


async def test_an_eviction_waits_until_the_pods_evicted_before_run_again() -> None:
    desk = Desk()
    desk.fake.refusals["pod-b", False] = 2

    assert await desk.drain(dry_run=False, patience=60.0)
    # Each attempt begins with a dry run; a second between two pods, five between two attempts.
    assert desk.fake.calls[-6:] == ["try pod-b", "evict pod-b"] * 3
    assert desk.naps == [1.0, 5.0, 5.0]
    assert desk.told[-1] is Outcome.EVICTED


async def test_a_node_whose_budget_is_still_used_up_by_the_last_one_is_waited_for_before_it_is_cordoned() -> None:
    desk = Desk()
    desk.fake.refusals["pod-a", True] = 1

    assert await desk.drain(dry_run=False, patience=60.0)
    assert desk.fake.calls[:4] == ["try pod-a", "try pod-a", "try pod-b", "cordon"]


async def test_patience_ends_and_the_node_is_uncordoned() -> None:
    desk = Desk()
    desk.fake.failures["pod-b", False] = TooManyRequests(429, "TooManyRequests", "budget")

    assert not await desk.drain(dry_run=False, patience=12.0)
    # 12 s are two waits of five seconds and one of two.
    assert desk.naps == [1.0, 5.0, 5.0, 2.0]
    assert desk.fake.calls[-1] == "uncordon"
    assert desk.told[-1] is Outcome.REFUSED


async def test_nothing_but_a_budget_is_waited_for_and_a_dry_run_waits_for_nothing() -> None:
    broken, tried = Desk(), Desk()
    broken.fake.failures["pod-a", True] = Unreachable("cut off")
    tried.fake.failures["pod-a", True] = TooManyRequests(429, "TooManyRequests", "budget")

    assert not await broken.drain(dry_run=False, patience=60.0)
    assert not await tried.drain(dry_run=True, patience=60.0)
    assert (broken.naps, tried.naps) == ([], [])


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TooManyRequests(429, "TooManyRequests", "m"), Outcome.REFUSED),
        (NotFound(404, "NotFound", "m"), Outcome.GONE),
        (Conflict(409, "Conflict", "another UID"), Outcome.GONE),
        (Unreachable("cut off"), Outcome.FAILED),
    ],
)
async def test_what_the_server_says_is_told(error: KubeError, outcome: Outcome) -> None:
    fake = Api()
    fake.failures["pod-a", True] = error
    api: Any = fake

    assert (await evict(api, A, dry_run=True)).outcome is outcome


async def test_interrupted_while_it_is_cordoned_the_node_is_uncordoned() -> None:
    desk = Desk()
    desk.fake.interrupted = True

    with pytest.raises(asyncio.CancelledError):
        await desk.drain(dry_run=False)

    assert desk.fake.calls == ["try pod-a", "try pod-b", "cordon", "uncordon"]
