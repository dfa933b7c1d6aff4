"""The planner process without a process: messages in, messages out, time by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from extender.cluster.cache import Cache
from extender.plan import EMPTY_PLAN, Plan
from extender.planner.child import PlannerLoop, solver_seconds
from extender.planner.messages import (
    CHUNK,
    Configure,
    Event,
    Events,
    Failed,
    FrameReader,
    Message,
    Ping,
    Planned,
    Pong,
    Synced,
    Valued,
    chunked,
    encode,
)
from extender.planner.mirror import Mirror, UnknownEventError, still_to_come
from extender.planner.settings import PlannerSettings
from extender.planner.window import BatchWindow
from stowplan.kube.projection import Deadline, PodOwner
from stowplan.model.pod import Pod
from tests.support.clusters import make_info, make_node, make_signature, make_snapshot

WEB = make_signature()


def pod(uid: str, node: str = "") -> Pod:
    return Pod(uid=uid, namespace="shop", name=uid, signature=make_signature(), node_name=node)


def of_owner(index: int, uid: str = "") -> Pod:
    return Pod(uid=uid or f"o{index}", namespace="shop", name=f"o{index}", signature=make_signature(f"app-{index}"))


class Desk:
    """A loop with a clock at hand and a planner that returns what it was asked."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[Message] = []
        self.asked: list[dict[str, Any]] = []
        self.broken: set[float] = set()
        self.slots = 1
        self.takes = 0.0
        self.loop = PlannerLoop(self.sent.append, lambda: self.now, self.plan)
        self.loop.receive(Configure({}, time_limit_s=1.0, idle_window_s=0.05, max_window_s=0.5))

    def plan(self, snapshot: Any, previous: Any, _classes: Any, **options: Any) -> Plan:
        """Stands in for `make_plan`; fails for the time limits in `broken`."""
        self.asked.append({"previous": previous, "pending": snapshot.pending, **options})
        self.now += self.takes
        if options["time_limit_s"] in self.broken:
            raise RuntimeError("odd input")
        return Plan(snapshot.generation, {WEB: {"n1": self.slots}})


def desk_with_a_pod() -> Desk:
    desk = Desk()
    desk.loop.receive(Events((("upsert_node", (make_node("n1"),)), ("upsert_pod", (pod("u1"),)))))
    return desk


def test_a_window_closes_after_quiet_and_at_the_latest_after_the_maximum() -> None:
    window = BatchWindow(idle_s=0.05, max_s=0.5)
    assert window.wait(0.0) is None
    window.touch(1.0)
    assert window.wait(1.02) == pytest.approx(0.03)
    for step in range(1, 24):
        window.touch(1.0 + step * 0.02)  # never quiet for 0.05 s; the last change is at 1.46
    assert window.wait(1.46) == pytest.approx(0.04)  # 1.0 + 0.5 comes before 1.46 + 0.05
    assert window.wait(2.0) == 0.0
    window.close()
    assert window.wait(2.0) is None


def test_nothing_is_planned_before_the_mirror_is_complete() -> None:
    desk = desk_with_a_pod()
    desk.now += 10
    assert desk.loop.wait() is None
    desk.loop.tick()
    assert desk.asked == []
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()
    assert [type(message) for message in desk.sent] == [Planned]


def test_a_plan_that_is_being_carried_out_is_renewed_only_after_a_while() -> None:
    desk = desk_with_a_pod()  # the plan that it gets holds one slot for u1
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()
    assert len(desk.asked) == 1

    desk.loop.receive(Events((("upsert_pod", (Pod("x", "shop", "x", make_signature("x"), node_name="n1"),)),)))
    desk.now += 0.05
    desk.loop.tick()
    assert len(desk.asked) == 1  # u1 still has its slot, and there is room

    desk.loop.receive(Events((("upsert_pod", (pod("u2"),)),)))
    desk.now += 0.05
    desk.loop.tick()
    assert len(desk.asked) == 2  # two pods wait, and the plan has one slot

    desk.loop.receive(Events((("delete_pod", ("u2",)),)))
    desk.now += 2.0
    desk.loop.tick()
    assert len(desk.asked) == 3  # covered again, but old


def test_a_plan_that_took_long_is_renewed_later() -> None:
    desk = desk_with_a_pod()
    desk.takes = 1.5
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()

    # 4 x 1.5 s after it was there: renewals take a fifth of the time
    for passed, plans in ((2.0, 1), (3.8, 1), (0.1, 2)):
        desk.now += passed
        desk.loop.receive(
            Events((("upsert_pod", (Pod(f"x{passed}", "shop", "x", make_signature("x"), node_name="n1"),)),))
        )
        desk.now += 0.05
        desk.loop.tick()
        assert len(desk.asked) == plans

    desk.loop.receive(Events((("upsert_pod", (pod("u2"),)),)))
    desk.now += 0.05
    desk.loop.tick()
    assert len(desk.asked) == 3  # a pod without a slot waits for nothing


def desk_with_a_backlog(**last: Any) -> Desk:
    """Two hundred pods wait; the plan, just made, has slots for a hundred and fifty."""
    desk = Desk()
    desk.slots = 150
    node = make_node("n1", cpu=1_000_000, memory=2**50, pods=1000)
    waiting = [pod(f"u{number}") for number in range(199)]
    last_one = dataclasses.replace(pod("u199"), **last)
    events = [("upsert_node", (node,)), *(("upsert_pod", (one,)) for one in (*waiting, last_one))]
    desk.loop.receive(Events(tuple(events)))
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()
    assert len(desk.asked) == 1
    return desk


def bind(desk: Desk, count: int) -> None:
    """So many of the pods that wait stand where they were planned."""
    desk.loop.receive(Events(tuple(("upsert_pod", (pod(f"u{number}", "n1"),)) for number in range(count))))
    desk.now += 0.05
    desk.loop.tick()


def test_slots_for_the_next_hundred_are_enough_until_the_plan_is_old() -> None:
    desk = desk_with_a_backlog()
    bind(desk, 50)
    assert len(desk.asked) == 1  # a hundred slots are left

    assert desk.loop.wait() == pytest.approx(
        1.95
    )  # nothing else has to happen: two seconds after the plan it is renewed
    desk.now += 1.95
    desk.loop.tick()
    assert len(desk.asked) == 2
    assert desk.loop.wait() is None


def test_with_fewer_slots_a_plan_is_made_at_once() -> None:
    desk = desk_with_a_backlog()
    bind(desk, 51)
    assert len(desk.asked) == 2


def test_a_pod_behind_our_gate_needs_a_slot_of_its_own() -> None:
    desk = desk_with_a_backlog(held=True)
    bind(desk, 1)
    assert len(desk.asked) == 2


def test_a_ping_is_answered() -> None:
    desk = Desk()
    desk.loop.receive(Ping(7))
    assert desk.sent == [Pong(7)]


def test_an_early_plan_is_sent_at_once_and_the_final_one_after_it() -> None:
    desk = desk_with_a_pod()
    desk.loop.receive(Synced())
    desk.now += 1
    desk.loop.tick()
    early = Plan(generation=9)

    desk.asked[0]["on_baseline"](early)

    assert desk.sent[-1] == Planned(dataclasses.replace(early, early=True))


@pytest.mark.parametrize(
    ("waiting", "limit", "seconds"),
    [(1, 1.0, 0.05), (20, 1.0, 0.2), (500, 1.0, 1.0), (500, 0.0, 0.0)],  # a hundredth of a second a pod, within bounds
)
def test_the_solver_takes_no_longer_than_the_backlog_lasts(waiting: int, limit: float, seconds: float) -> None:
    assert solver_seconds(make_snapshot([], {WEB: waiting}), limit) == pytest.approx(seconds)


def test_a_failing_solver_gives_way_to_the_greedy() -> None:
    desk = desk_with_a_pod()
    desk.broken = {0.05}  # what one waiting pod is worth
    desk.loop.receive(Synced())
    desk.now += 1
    desk.loop.tick()
    assert desk.sent[0] == Failed("solver", "RuntimeError('odd input')")
    assert isinstance(desk.sent[1], Planned)
    assert [asked["time_limit_s"] for asked in desk.asked] == [0.05, 0.0]


def test_a_plan_that_cannot_be_made_is_counted_and_the_loop_goes_on() -> None:
    desk = desk_with_a_pod()
    desk.broken = {0.0, 0.05}
    desk.loop.receive(Synced())
    desk.now += 1
    desk.loop.tick()
    assert [message.what for message in desk.sent if isinstance(message, Failed)] == ["solver", "plan"]
    desk.broken = set()
    desk.loop.receive(Events((("upsert_pod", (pod("u2"),)),)))
    desk.now += 1
    desk.loop.tick()
    assert isinstance(desk.sent[-1], Planned)


def test_an_unknown_event_is_reported_not_raised() -> None:
    desk = Desk()
    desk.loop.receive(Events((("snapshot", ()),)))
    assert isinstance(desk.sent[0], Failed)
    assert desk.sent[0].what == "event"
    with pytest.raises(UnknownEventError, match="snapshot"):
        Mirror().apply("snapshot", ())


def test_without_waiting_pods_plans_are_seldom() -> None:
    desk = Desk()
    desk.loop.receive(Events((("upsert_node", (make_node("n1"),)),)))
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()
    desk.loop.receive(Events((("upsert_node", (make_node("n2"),)),)))
    assert desk.loop.wait() == pytest.approx(2.0)


def test_pods_to_come_are_planned_with_those_that_wait_and_plans_are_made_at_once() -> None:
    desk = desk_with_a_pod()
    desk.loop.receive(Events((("upsert_owner", (PodOwner("shop", "ReplicaSet", "web", 6),)),)))
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()
    assert [asked["pending"] for asked in desk.asked] == [{WEB: 6}]
    bound = pod("u1", "n1")
    desk.loop.receive(Events((("upsert_pod", (bound,)),)))
    assert desk.loop.wait() == pytest.approx(0.05)  # five are still to come


def test_events_that_change_nothing_cause_no_plan() -> None:
    desk = desk_with_a_pod()
    desk.loop.receive(Synced())
    desk.now += 0.05
    desk.loop.tick()
    desk.loop.receive(Events((("upsert_owner", (PodOwner("shop", "ReplicaSet", "unseen", 6),)),)))
    assert desk.loop.wait() is None


def test_slots_that_pods_have_taken_are_not_to_come_any_more() -> None:
    node, gone = make_node("n1"), make_node("n2")
    then = make_snapshot([make_info(node, {WEB: 1}), gone], {WEB: 4})
    now = make_snapshot([make_info(node, {WEB: 3})], {WEB: 2})
    plan = Plan(1, {WEB: {"n1": 3, "n2": 1}})
    # two of three arrived on n1; n2 is gone
    assert still_to_come(plan, then, now).slots == {WEB: {"n1": 1}}


def test_a_mirror_reaches_state_and_generation_of_the_cache_by_its_chunked_events() -> None:
    cache = Cache()
    for index in range(CHUNK + 20):
        cache.upsert_node(make_node(f"n{index}"))
        cache.upsert_pod(pod(f"u{index}", f"n{index}" if index % 2 else ""))
        cache.upsert_pod(of_owner(index))
        cache.upsert_owner(PodOwner("shop", "ReplicaSet", f"app-{index}", 3))
    cache.give_up_owner("shop", "ReplicaSet/app-1")
    mirror = Mirror()
    mirror.apply("upsert_node", (make_node("stale"),))
    mirror.apply("upsert_owner", (PodOwner("shop", "ReplicaSet", "stale", 9),))
    mirror.apply("upsert_owner", (PodOwner("shop", "Job", "stale", 9),))
    frames = list(chunked(cache.events()))
    assert len(frames) > 2
    for frame in frames:
        for method, arguments in frame:
            mirror.apply(method, arguments)
    assert mirror.snapshot() == cache.snapshot()
    assert len(mirror.snapshot().expected) == CHUNK + 19  # all owners but the one given up
    mirror.apply("upsert_pod", (of_owner(1, "again"),))
    assert mirror.snapshot().expected[make_signature("app-1")] == 1  # three wanted, two there


def test_frames_survive_any_cut() -> None:
    job = PodOwner("shop", "Job", "nightly", 2, Deadline(1000, 1600))
    events: tuple[Event, ...] = (("delete_node", ("n1",)), ("upsert_owner", (job,)))
    stream = encode(Events(events)) + encode(Ping(1)) + encode(Synced())
    reader = FrameReader()
    received = [message for byte in stream for message in reader.feed(bytes([byte]))]
    assert received == [Events(events), Ping(1), Synced()]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="queue is 0"):
        PlannerSettings(queue=0)


def test_drain_set_and_rescues_follow_the_plan_and_are_renewed_at_intervals() -> None:
    desk = Desk()
    nodes = [make_node(f"n{index:02d}", cpu=4000) for index in range(12)]
    standing = [
        Pod(f"s{index}", "shop", f"s{index}", make_signature("s", cpu=500), node_name=f"n{index:02d}")
        for index in range(12)
    ]
    events = [("upsert_node", (node,)) for node in nodes] + [("upsert_pod", (one,)) for one in standing]
    desk.loop.receive(Events((*events, ("upsert_pod", (pod("u1"),)))))
    desk.loop.receive(Synced())
    desk.now += 1
    desk.loop.tick()

    # First the plan, then the same with the drain set: one node of twelve in use may run empty.
    first, second = (message.plan for message in desk.sent if isinstance(message, Planned))
    assert first.drain == ()
    assert len(second.drain) == 1
    assert second.slots == first.slots


@pytest.mark.parametrize(("whole", "sent"), [(True, 12), (False, 10)])
def test_of_the_fill_order_all_is_sent_where_decisions_walk_it(whole: bool, sent: int) -> None:
    names = tuple(f"n{number:02d}" for number in range(12))
    sends: list[Message] = []
    loop = PlannerLoop(
        sends.append, lambda: 100.0, lambda snapshot, *_, **__: Plan(snapshot.generation, fill_order=names)
    )
    loop.receive(Configure({}, 0.0, 0.0, 0.0, whole_order=whole))
    loop.receive(Events((*(("upsert_node", (make_node(name),)) for name in names), ("upsert_pod", (pod("u1"),)))))
    loop.receive(Synced())
    loop.tick()

    (planned,) = (message.plan for message in sends if isinstance(message, Planned))
    assert planned.fill_order == names[:sent]


def test_a_resync_of_many_pods_ends_no_life() -> None:
    cache, sent = Cache(), list[Message]()
    loop = PlannerLoop(sent.append, plan=lambda *_, **__: EMPTY_PLAN)
    cache.replace_nodes([make_node(f"n{number}") for number in range(CHUNK + 1)])
    cache.replace_pods([pod(f"u{number}", f"n{number % CHUNK}") for number in range(2 * CHUNK + 1)])

    def resync() -> None:
        for events in chunked(cache.events()):
            loop.receive(Events(events))
        loop.receive(Synced())

    resync()
    resync()  # as after a full queue: the process knows everything already
    loop.tick()
    assert not [message for message in sent if isinstance(message, Valued)]  # nothing has ended, so nothing was learned

    for uid in ("u0", "u7"):
        cache.delete_pod(uid)  # missed by the planner
    cache.delete_node("n5")
    resync()
    loop.tick()

    assert [message for message in sent if isinstance(message, Valued)]  # two lives
    assert {pod.uid for pod in loop._mirror.pods()} == {pod.uid for pod in cache.pods()}
    assert loop._mirror.snapshot() == cache.snapshot()
