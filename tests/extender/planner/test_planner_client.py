"""The planner as a real child process: it plans, survives its own death, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from extender.cluster.cache import Cache
from extender.plan import EMPTY_PLAN, Plan
from extender.planner.client import PlannerClient
from extender.planner.messages import CHUNK, Events, FrameReader, Message, Synced
from extender.planner.priority import NICE
from extender.planner.settings import PlannerSettings
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import Pod
from tests.support.clusters import make_node, make_signature

pytestmark = pytest.mark.slow  # a process that loads OR-Tools for each test
FAST = PlannerSettings(
    time_limit_s=0.2, ping_interval_s=0.1, hang_timeout_s=3.0, backoff_s=0.05, stale_after_s=60.0, idle_window_s=0.01
)


class Server:
    """A cache, the planner that follows it, and the plans that came."""

    def __init__(self, settings: PlannerSettings = FAST) -> None:
        self.cache = Cache()
        self.plans: list[Plan] = []
        self.planner = PlannerClient(self.cache.events, BUILTIN_CLASSES, settings, self.plans.append)

    def feed(self, method: str, *args: object) -> None:
        """One watch event: into the cache and on to the planner."""
        getattr(self.cache, method)(*args)
        self.planner.send(method, *args)

    def pod(self, uid: str) -> None:
        """A waiting pod."""
        self.feed("upsert_pod", Pod(uid=uid, namespace="shop", name=uid, signature=make_signature()))


def gone(pid: int) -> bool:
    """Neither running nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


class Wire:
    """The other end of a client's socket: what was written, message by message."""

    def __init__(self) -> None:
        self.frames = FrameReader()
        self.got: list[Message] = []

    def write(self, data: bytes) -> None:
        """Take what is sent."""
        self.got += self.frames.feed(data)

    async def drain(self) -> None:
        """There is always room."""

    @property
    def events(self) -> list[int]:
        """How many events each message has that came after the first resync."""
        return [len(one.events) for one in self.got[3:] if isinstance(one, Events)]


async def test_events_of_a_burst_travel_together_the_first_one_at_once() -> None:
    client = PlannerClient(Cache().events, BUILTIN_CLASSES, PlannerSettings(gather_s=0.5))
    wire = Wire()
    task = asyncio.create_task(client._write(wire))  # type: ignore[arg-type]  # all that it uses of a StreamWriter
    try:
        await until(lambda: any(isinstance(one, Synced) for one in wire.got))
        await asyncio.sleep(0.6)  # what is gathered after the resync is nothing
        client.send("delete_pod", "u0")
        await until(lambda: wire.events == [1])
        for number in range(20):
            client.send("delete_pod", f"u{number}")
            await asyncio.sleep(0)
        assert wire.events == [1]
        await until(lambda: sum(wire.events) == 21)
        assert wire.events == [1, 20]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110  # what is waited for is another process
            await asyncio.sleep(0.02)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    server.feed("upsert_node", make_node("n1"))
    await server.planner.start()
    yield server
    await server.planner.stop()


async def test_events_before_and_after_the_start_are_planned(server: Server) -> None:
    server.pod("u1")
    await until(lambda: server.planner.current.placed == 1)
    server.pod("u2")
    await until(lambda: server.planner.current.placed == 2)
    assert server.planner.current.slots == {make_signature(): {"n1": 2}}
    assert server.planner.current.generation == server.cache.generation
    assert server.planner.stats.plans == len(server.plans)


async def test_a_killed_planner_comes_back_with_everything(server: Server) -> None:
    server.pod("u1")
    await until(lambda: server.planner.current.placed == 1)
    first = server.planner.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: server.planner.stats.restarts == 1)
    server.pod("u2")  # nobody listens now; the resync must bring it
    await until(lambda: server.planner.current.placed == 2)
    assert server.planner.pid not in (0, first)
    assert server.planner.stats.resyncs == 2


async def test_a_stopped_planner_is_found_out_and_replaced() -> None:
    quick = PlannerSettings(
        time_limit_s=0.2, ping_interval_s=0.1, hang_timeout_s=1.0, backoff_s=0.05, idle_window_s=0.01
    )
    server = Server(quick)
    await server.planner.start()
    try:
        await until(lambda: server.planner.stats.plans > 0)
        first = server.planner.pid
        os.kill(first, signal.SIGSTOP)
        await until(lambda: server.planner.stats.hangs >= 1)
        await until(lambda: server.planner.pid not in (0, first))
        assert gone(first)
    finally:
        await server.planner.stop()


async def test_stop_leaves_no_process_and_no_zombie(server: Server) -> None:
    await until(lambda: server.planner.stats.plans > 0)
    pid = server.planner.pid
    await server.planner.stop()
    assert gone(pid)
    assert server.planner.pid == 0


async def test_a_full_queue_leads_to_a_resync_not_to_a_wrong_mirror() -> None:
    server = Server(PlannerSettings(time_limit_s=0.2, idle_window_s=0.01, queue=2))
    server.feed("upsert_node", make_node("n1", cpu=64_000, memory=2**38))
    await server.planner.start()
    try:
        await until(lambda: server.planner.stats.plans > 0)
        for index in range(10):  # in one turn of the loop: the writer cannot take any in between
            server.pod(f"u{index}")
        assert server.planner.stats.overflows == 1
        await until(lambda: server.planner.current.placed == 10)
    finally:
        await server.planner.stop()


async def test_a_list_that_is_too_long_for_one_frame_comes_by_a_resync(server: Server) -> None:
    await until(lambda: server.planner.stats.plans > 0)
    resyncs = server.planner.stats.resyncs
    server.feed("replace_nodes", [make_node(f"n{index}", cpu=64_000, memory=2**38) for index in range(CHUNK + 1)])
    server.pod("u1")
    await until(lambda: server.planner.current.placed == 1)
    assert server.planner.stats.resyncs == resyncs + 1
    assert server.planner.stats.overflows == 0


async def test_an_event_that_the_mirror_cannot_take_leads_to_a_resync(server: Server) -> None:
    await until(lambda: server.planner.stats.plans > 0)
    server.planner.send("explode", 1)
    await until(lambda: server.planner.stats.resyncs == 2)
    assert "explode" in server.planner.stats.last_error
    server.pod("u1")
    await until(lambda: server.planner.current.placed == 1)


async def test_a_planner_that_is_silent_too_long_offers_no_plan() -> None:
    now = [0.0]
    planner = PlannerClient(list, {}, FAST, clock=lambda: now[0])
    planner._plan = Plan(generation=7)
    assert planner.current.generation == 7
    now[0] = FAST.stale_after_s + 1
    assert planner.current is EMPTY_PLAN


async def test_the_process_is_nicer_than_the_server(server: Server) -> None:
    await until(lambda: server.planner.stats.plans > 0)
    assert os.getpriority(os.PRIO_PROCESS, server.planner.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
    assert os.getsid(server.planner.pid) == server.planner.pid


_PARENT = """
import asyncio
from extender.planner.client import PlannerClient
from extender.planner.messages import CHUNK
async def main():
    planner = PlannerClient(list, {})
    await planner.start()
    while not planner.stats.plans:
        await asyncio.sleep(0.02)
    print(planner.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_the_process_ends_with_a_server_that_was_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    planner = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await until(lambda: gone(planner))
