"""The channel at work, over an API server that tests script."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from extender.cluster.cache import Cache
from extender.deciding.reservations import Reservations
from extender.gating.decision import Bounds, Gates
from extender.gating.groups import Groups
from extender.gating.held import HeldPods
from extender.gating.lease import DURATION_SECONDS, RENEW_SECONDS, GateLease
from extender.gating.loop import Cluster, Ungater
from extender.gating.metrics import GateMetrics
from extender.gating.writing import GateWriter
from extender.leadership import Leadership
from extender.plan import EMPTY_PLAN, Plan
from stowplan.kube.errors import Forbidden, Unreachable
from stowplan.model.pod import Gang, Pod
from tests.support.extender import Clock, decider, info, node, pod, signature

WEB = signature("web")


class Api:
    """Stands in for the client: which gates went, what the Leases say, what a list shows, and what fails."""

    def __init__(self) -> None:
        self.leader = "here_1"
        self.released: list[str] = []
        self.holders: list[str] = []
        self.failures: dict[str, Exception] = {}
        self.lease_failure: Exception | None = None
        self.listed: list[dict[str, Any]] = []
        self.lists = 0
        self.reads = 0
        self.heal_after = 1_000_000
        self.slow: asyncio.Event | None = None

    async def get(self, _path: str) -> Any:
        """The scheduler's Lease."""
        self.reads += 1
        return {"spec": {"holderIdentity": self.leader}}

    async def get_bytes(self, path: str, **_: Any) -> bytes:
        """The pods without a node."""
        assert path == "/api/v1/pods"
        self.lists += 1
        items = ",".join(
            f'{{"metadata":{{"name":"pod-{uid}","namespace":"shop","uid":"{uid}"}},'
            '"spec":{"schedulingGates":[{"name":"stowplan.dev/plan"}]}}'
            for uid in self.listed
        )
        return f'{{"metadata":{{}},"items":[{items}]}}'.encode()

    async def patch(self, path: str, body: Any, _kind: str) -> None:
        """A gate goes."""
        uid = body["metadata"]["uid"]
        assert path == f"/api/v1/namespaces/shop/pods/pod-{uid}"
        if uid in self.failures:
            self.heal_after -= 1
            raise self.failures[uid] if self.heal_after else self.failures.pop(uid)
        if uid == "slow" and self.slow is not None:
            await self.slow.wait()
        self.released.append(uid)

    async def apply(self, path: str, body: Any, _manager: str, *, force: bool) -> None:
        """Our Lease."""
        assert path.endswith("/leases/stowplan-gates")
        assert force
        if self.lease_failure is not None:
            raise self.lease_failure
        self.holders.append(body["spec"]["holderIdentity"])


def fake() -> Any:
    """The stand-in, as whatever is asked for."""
    return Api()


class Desk:
    """An ungater over one node."""

    def __init__(self, *, active: bool = True) -> None:
        self.api = fake()
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.held = HeldPods()
        self.plan: Plan = EMPTY_PLAN
        self.silence = 0.0
        self.group_reads = 0
        self.groups: dict[tuple[str, str], int] = {}
        self.reservations = Reservations(self.clock)
        cache = Cache()
        cache.upsert_node(node("n1"))
        view = decider(info(node("n1")), cache=cache, plan=lambda: self.plan, reservations=self.reservations).view
        gates = Gates(self.clock, Bounds(), Groups(self.held, lambda _: 0, lambda: self.groups).need, active=active)
        lease = GateLease(self.api, "here_7", lambda: datetime.fromtimestamp(0, UTC))
        self.ungater = Ungater(
            Cluster(self.held, view, lambda: 10, lambda: self.silence, self._read_groups),
            gates,
            GateWriter(self.api),
            lease if active else None,
            Leadership(self.api, "here", self.clock),
            metrics=GateMetrics(self.registry),
            clock=self.clock,
        )

    async def _read_groups(self) -> None:
        self.group_reads += 1

    async def look(self, *pods: Pod, after: float = 0.0, ending: bool = False) -> list[str]:
        """One look later; which gates went in it."""
        self.clock.now += after
        for one in pods:
            self.held.upsert(one)
        before = len(self.api.released)
        await self.ungater.promise(ending=ending)
        await self.ungater.release(ending=ending)
        await self.ungater.settle()
        gone: list[str] = self.api.released[before:]
        return gone

    def count(self, name: str, **labels: str) -> float | None:
        """A sample of our metrics."""
        return self.registry.get_sample_value(f"stowplan_extender_{name}", labels)


def held(uid: str, **changes: Any) -> Pod:
    """A pod behind our gate."""
    return pod(uid, changes.pop("sig", WEB), held=True, **changes)


async def test_a_planned_pod_is_released_room_is_held_and_all_is_counted() -> None:
    desk = Desk()
    assert await desk.look() == []
    desk.plan = Plan(generation=11, slots={WEB: {"n1": 1}})

    assert await desk.look(held("a"), held("b"), after=0.1) == ["a", "b"]

    assert desk.reservations.held(WEB, "n1") == 1
    assert desk.count("gates_released_total", why="planned") == 1
    assert desk.count("gates_released_total", why="unplaced") == 1
    assert desk.count("gated_pods") == 2
    assert desk.count("gate_wait_seconds_count") == 2


async def test_without_a_planner_a_pod_is_released_at_the_bound() -> None:
    desk = Desk()
    await desk.look()
    assert await desk.look(held("a")) == []
    assert await desk.look(after=0.5) == []
    assert await desk.look(after=0.01) == ["a"]
    assert desk.count("gates_released_total", why="bound") == 1


async def test_a_write_is_not_repeated_before_its_event_had_time_to_come() -> None:
    desk = Desk()
    await desk.look()
    await desk.look(held("a"))
    assert await desk.look(after=0.6) == ["a"]
    assert await desk.look(after=0.02) == []


async def test_a_failed_write_is_counted_and_tried_again() -> None:
    desk = Desk()
    await desk.look()
    await desk.look(held("a"))
    desk.api.failures["a"] = Unreachable("down")
    assert await desk.look(after=0.6) == []
    assert desk.count("gate_writes_failed_total") == 1
    desk.api.failures.clear()

    assert await desk.look(after=0.05) == []
    assert await desk.look(after=0.06) == ["a"]


async def test_the_lease_is_renewed_every_second_while_this_one_leads() -> None:
    desk = Desk()
    for _ in range(12):
        await desk.look(after=RENEW_SECONDS / 4)

    # At 0.25 s and every second after: 0.25, 1.25, 2.25
    assert desk.api.holders == ["here_7"] * 3
    assert desk.count("gates_announced") == 1
    assert RENEW_SECONDS * 2 < DURATION_SECONDS  # one renewal may be lost


async def test_who_does_not_lead_promises_nothing() -> None:
    desk = Desk()
    desk.api.leader = "there_1"
    await desk.look()
    assert desk.api.holders == []

    desk.api.leader = "here_2"
    await desk.look(after=2.0)
    desk.api.leader = "there_1"
    await desk.look(after=2.0)

    assert desk.api.holders == ["here_7", ""]
    assert desk.count("gates_announced") == 0


async def test_where_gates_cannot_be_taken_away_none_is_asked_for() -> None:
    desk = Desk()
    await desk.look()
    await desk.look(held("a"))
    desk.api.failures["a"] = Forbidden(403, "Forbidden", "patch pods")
    for _ in range(20):
        await desk.look(after=0.25)

    assert desk.api.holders[-1] == ""  # overdue: beyond the bound and two seconds of grace
    assert desk.count("gates_announced") == 0
    del desk.api.failures["a"]
    desk.clock.now += 10
    assert await desk.look() == ["a"]
    desk.held.delete("a")
    await desk.look(after=1.0)
    assert desk.api.holders[-1] == "here_7"


async def test_a_lease_that_cannot_be_written_stops_nothing() -> None:
    desk = Desk()
    desk.api.lease_failure = Forbidden(403, "Forbidden", "patch leases")
    await desk.look()
    await desk.look(held("a"))

    assert await desk.look(after=0.6) == ["a"]
    assert desk.count("gates_announced") == 0


async def test_at_the_end_the_promise_is_taken_back_first_and_no_gate_is_left() -> None:
    desk = Desk()
    await desk.look()
    assert await desk.look(held("a"), ending=True) == ["a"]
    assert desk.api.holders == ["here_7", ""]
    desk.held.delete("a")
    desk.api.listed = ["late"]  # admitted just before the webhook heard

    await desk.ungater.stop()

    assert desk.api.released == ["a", "late"]
    assert desk.count("gates_released_total", why="off") == 2


async def test_the_end_of_a_standby_leaves_the_gates_to_the_leader() -> None:
    desk = Desk()
    desk.api.leader = "there_1"
    desk.api.listed = ["a"]
    await desk.look(held("a"), ending=True)

    await desk.ungater.stop()

    assert desk.api.released == []


async def test_an_end_without_an_api_server_is_an_end() -> None:
    desk = Desk()
    await desk.look()
    desk.api.lease_failure = Unreachable("down")

    await desk.ungater.stop()

    assert desk.api.holders == ["here_7"]


async def test_switched_off_it_takes_away_what_it_finds_and_promises_nothing() -> None:
    desk = Desk(active=False)

    assert await desk.look(held("a")) == ["a"]
    assert await desk.look(held("b"), after=1.0) == ["b"]
    assert desk.count("gates_released_total", why="off") == 2
    assert desk.api.holders == []


async def test_switched_off_and_with_nothing_left_behind_it_makes_no_call() -> None:
    desk = Desk(active=False)
    desk.silence = 100.0
    for _ in range(5):
        await desk.look(after=10.0)
    await desk.ungater.stop()

    assert (desk.api.lists, desk.api.reads, desk.api.holders) == (0, 0, [])


async def test_where_the_watch_is_silent_a_list_shows_what_it_missed() -> None:
    desk = Desk()
    desk.api.listed = ["seen", "missed"]
    await desk.look()
    assert desk.api.lists == 0
    desk.silence = 11.0
    desk.held.upsert(held("seen", sig=signature(gang=Gang("g", least=2))))

    assert await desk.look(after=11.0) == []  # its event may be on the way
    assert await desk.look(after=9.0) == []
    assert await desk.look(after=1.1) == ["missed"]

    assert desk.api.lists == 2
    assert desk.count("gates_released_total", why="missed") == 1


async def test_a_group_of_unknown_size_has_the_pod_groups_read_at_once_and_once_a_second() -> None:
    desk = Desk()
    await desk.look()
    members = [held(uid, sig=signature(gang=Gang("g"))) for uid in "ab"]
    await desk.look(*members)
    await desk.look(after=0.1)
    assert desk.group_reads == 1
    desk.groups["shop", "g"] = 3

    assert await desk.look(after=0.9) == []  # a third member is waited for now
    assert desk.group_reads == 1


async def test_many_pods_are_released_in_one_look_with_pauses_for_others() -> None:
    desk = Desk()
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await desk.look()
    await desk.look(*(held(f"p{i}") for i in range(100)))
    desk.clock.now += 1.0
    desk.ungater._sleep = sleep

    await desk.ungater.release()
    await desk.ungater.settle()

    assert len(desk.api.released) == 100
    assert pauses == [0] * 6  # after every 16


class Sleeps:
    """Sleeps that take no time, until there were enough of them."""

    def __init__(self, desk: Desk, most: int = 200) -> None:
        self.desk = desk
        self.most = most
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """One sleep; others get a turn."""
        self.taken.append(seconds)
        if seconds == 0.02:  # the releases' own pace is the clock
            self.desk.clock.now += seconds
        await asyncio.sleep(0)
        if self.desk.api.released or len(self.taken) > self.most:
            raise asyncio.CancelledError


async def run(desk: Desk, most: int = 200) -> list[float]:
    """The loop at work; the sleeps that it took."""
    sleeps = Sleeps(desk, most)
    desk.ungater._sleep = sleeps
    with contextlib.suppress(asyncio.CancelledError):
        await desk.ungater.run()
    return sleeps.taken


async def test_the_loop_outlives_a_fault_of_ours_and_tries_again() -> None:
    desk = Desk()
    await desk.look()
    desk.held.upsert(held("a"))
    desk.api.failures["a"] = RuntimeError("fault of ours")
    desk.api.heal_after = 2
    start = desk.clock.now

    await run(desk)

    assert desk.api.released == ["a"]
    # The bound of 0.5 s, then 0.1 s and 0.2 s until the third try, each rounded up to steps of 0.02 s
    assert desk.clock.now - start == pytest.approx(0.87, abs=0.06)


async def test_the_loop_outlives_an_api_server_that_does_not_answer() -> None:
    desk = Desk()
    desk.api.lease_failure = RuntimeError("fault of ours")
    await desk.ungater.release()
    desk.held.upsert(held("a"))

    await run(desk)

    assert desk.api.released == ["a"]


async def test_an_idle_loop_looks_less_often() -> None:
    assert set(await run(Desk(), most=10)) == {0.1}


async def test_a_slow_write_does_not_keep_others_behind_their_gates() -> None:
    desk = Desk()
    await desk.look()
    await desk.look(held("slow"))
    desk.api.slow = asyncio.Event()
    desk.clock.now += 0.6
    await desk.ungater.release()
    await asyncio.sleep(0)
    desk.held.upsert(held("b"))
    await desk.ungater.release()
    desk.clock.now += 0.6
    await desk.ungater.release()
    for _ in range(3):
        await asyncio.sleep(0)
    assert desk.api.released == ["b"]

    desk.api.slow.set()
    await desk.ungater.settle()

    assert desk.api.released == ["b", "slow"]  # and it was begun once


async def test_a_look_that_takes_long_is_followed_by_a_rest() -> None:
    desk = Desk()
    real = desk.ungater.release

    async def slow(*, ending: bool = False) -> None:
        desk.clock.now += 0.05
        await real(ending=ending)

    desk.ungater.release = slow  # type: ignore[method-assign]  # as with thousands of pods

    assert 0.2 in {round(seconds, 6) for seconds in await run(desk, most=10)}  # four times as long
