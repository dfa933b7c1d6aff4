"""Rescues carried out: when, how far, and for whom the room is held."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from extender.cluster.cache import Cache
from extender.deciding.reservations import Reservations
from extender.leadership import Leadership
from extender.moves.eviction import Outcome
from extender.moves.rescuing import PATIENCE_SECONDS, PAUSE_SECONDS, Mode, Rescuer
from extender.plan import Plan, Rescue
from stowplan.kube.errors import TooManyRequests
from tests.support.extender import Clock, node, pod, signature

BIG, SMALL = signature("big", cpu=3000), signature("small", cpu=1000)


class Api:
    """Stands in for the client: a Lease and evictions."""

    def __init__(self) -> None:
        self.holder = "here_1"
        self.calls: list[str] = []
        self.refuse = False

    async def get(self, _path: str) -> Any:
        """The Lease."""
        return {"spec": {"holderIdentity": self.holder}}

    async def create(self, _path: str, body: Any) -> None:
        """An eviction."""
        self.calls.append(("try " if "dryRun" in body["deleteOptions"] else "evict ") + body["metadata"]["name"])
        if self.refuse:
            raise TooManyRequests(429, "TooManyRequests", "budget")


class Desk:
    """A pod that waits, one in its way, and a plan that knows what to do."""

    def __init__(self, mode: Mode = "evict") -> None:
        self.fake = Api()
        self.clock = Clock()
        self.counts: Counter[Outcome] = Counter()
        self.cache = Cache()
        self.cache.upsert_node(node("n1"))
        self.moved = pod("small", SMALL, "n1")
        self.cache.upsert_pod(self.moved)
        self.cache.upsert_pod(pod("big", BIG, unschedulable=True))
        self.reservations = Reservations(self.clock)
        plan = Plan(1, rescues=(Rescue(BIG, "n1", ((self.moved, "n2"),)),))
        api: Any = self.fake
        self.rescuer = Rescuer(
            api,
            self.cache,
            lambda: plan,
            self.reservations,
            Leadership(api, "here", self.clock),
            mode=mode,
            count=lambda outcome: self.counts.update([outcome]),
            clock=self.clock,
        )

    async def look_after_patience(self) -> list[str]:
        """Two looks; what was asked of the Eviction API."""
        await self.rescuer.tick()
        self.clock.now += PATIENCE_SECONDS
        await self.rescuer.tick()
        return self.fake.calls


async def test_a_pod_that_waited_long_is_rescued_and_its_room_is_held() -> None:
    desk = Desk()

    # Each eviction is preceded by its own dry run; the first one asked before anything was held.
    assert await desk.look_after_patience() == ["try pod-small", "try pod-small", "evict pod-small"]
    assert desk.reservations.held(BIG, "n1") == 1
    assert desk.counts == {Outcome.WOULD_EVICT: 1, Outcome.EVICTED: 1}


async def test_the_room_is_held_until_the_pod_has_it() -> None:
    desk = Desk()
    await desk.look_after_patience()
    for _ in range(5):  # longer than a reservation lasts by itself
        desk.clock.now += 2
        await desk.rescuer.tick()
    assert desk.reservations.held(BIG, "n1") == 1

    desk.cache.upsert_pod(pod("big", BIG, "n1"))
    desk.reservations.release("big")
    await desk.rescuer.tick()

    assert desk.reservations.held(BIG, "n1") == 0


async def test_a_dry_run_only_asks() -> None:
    desk = Desk("dry-run")

    assert await desk.look_after_patience() == ["try pod-small"]
    assert desk.reservations.held(BIG, "n1") == 0


async def test_a_budget_that_refuses_ends_it() -> None:
    desk = Desk()
    desk.fake.refuse = True

    assert await desk.look_after_patience() == ["try pod-small"]
    assert desk.counts == {Outcome.REFUSED: 1}
    assert desk.reservations.held(BIG, "n1") == 0


async def test_there_is_a_pause_after_each() -> None:
    desk = Desk("dry-run")
    await desk.look_after_patience()
    desk.clock.now += PAUSE_SECONDS - 1
    await desk.rescuer.tick()
    assert len(desk.fake.calls) == 1

    desk.clock.now += 1
    await desk.rescuer.tick()

    assert len(desk.fake.calls) == 2


async def test_a_replica_whose_scheduler_does_not_lead_evicts_nothing() -> None:
    desk = Desk()
    desk.fake.holder = "elsewhere_1"

    assert await desk.look_after_patience() == []


@pytest.mark.parametrize("changes", [{"deleting": True}, {"node": "n2"}])
async def test_a_plan_that_is_overtaken_is_not_carried_out(changes: dict[str, Any]) -> None:
    desk = Desk()
    desk.cache.upsert_pod(pod("small", SMALL, **{"node": "n1", **changes}))

    assert await desk.look_after_patience() == []


async def test_a_pod_that_the_scheduler_has_not_given_up_is_left_to_it() -> None:
    desk = Desk()
    desk.cache.upsert_pod(pod("big", BIG))

    assert await desk.look_after_patience() == []
