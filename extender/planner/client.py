"""The server's side of the planner: starts the process, feeds it, watches it, holds its latest plan."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from extender.lifetimes.node_values import NodeValues
from extender.plan import EMPTY_PLAN, Plan
from extender.planner.messages import (
    CHUNK,
    HEADER,
    Classes,
    Event,
    Events,
    Failed,
    Message,
    Ping,
    Planned,
    Synced,
    Valued,
    as_of_now,
    chunked,
    decode,
    encode,
    is_long,
)
from extender.planner.settings import PlannerSettings
from stowplan.model.workload_class import WorkloadClass

log = logging.getLogger(__name__)

_CHILD: Final = "extender.planner.child"


class PlannerLost(Exception):  # noqa: N818  # a state of the other side, not a fault in a call
    """The planner process has ended or does not answer."""


@dataclass(slots=True)
class PlannerStats:
    """Counts since the start."""

    plans: int = 0
    failed_plans: int = 0
    """Plans that could not be made at all; the one before stays."""
    solver_failures: int = 0
    """Plans for which the greedy had to do because the solver raised."""
    restarts: int = 0
    hangs: int = 0
    resyncs: int = 0
    overflows: int = 0
    last_solve_ms: int = 0
    last_error: str = ""


class PlannerClient:
    """A planner process, kept alive.

    `send` never blocks and never raises; everything else happens in tasks of the running loop.

    Args:
        resync: gives the events that bring an empty cache to the server's state (`Cache.events`).
        classes: workload classes by name.
        settings: see there.
        on_plan: called with each new plan, after it has become `current`.
        clock: steady seconds.
    """

    def __init__(
        self,
        resync: Callable[[], Iterable[Event]],
        classes: Mapping[str, WorkloadClass],
        settings: PlannerSettings | None = None,
        on_plan: Callable[[Plan], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = PlannerStats()
        self.pid = 0
        """Process id of the planner, 0 while there is none."""
        self._resync = resync
        self._classes = classes
        self._settings = settings or PlannerSettings()
        self._on_plan = on_plan
        self._clock = clock
        self._plan = EMPTY_PLAN
        self._values: NodeValues | None = None
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._connected = False
        self._resync_wanted = False
        self._classes_changed = False
        self._heard_at = clock()
        self._started_at = self._heard_at
        self._failures = 0
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def current(self) -> Plan:
        """The latest plan; the empty one before the first, and once the planner has been silent for `stale_after_s`."""
        silent = self._clock() - self._heard_at
        return EMPTY_PLAN if silent > self._settings.stale_after_s else self._plan

    @property
    def values(self) -> NodeValues | None:
        """What was learned about nodes, as of the last publication: it ages, but never becomes wrong at once."""
        return self._values

    def send(self, method: str, *args: object) -> None:
        """Hand on an event of the cache. With no process there is nothing to do: it will be told everything when it starts."""
        if not self._connected or self._resync_wanted:
            return
        full = len(self._queue) >= self._settings.queue
        # long ones come by a resync in frames: pickled at once they would keep requests waiting
        if full or is_long(method, args):
            self.stats.overflows += full
            self._want_resync()
            return
        self._queue.append(as_of_now(method, args))
        self._wake.set()

    def set_classes(self, classes: Mapping[str, WorkloadClass]) -> None:
        """The workload classes have changed."""
        self._classes = classes
        self._classes_changed = True
        self._wake.set()

    async def start(self) -> None:
        """Start the process and keep it running until `stop`."""
        if self._supervisor is None:
            self._heard_at = self._clock()
            self._supervisor = asyncio.create_task(self._supervise(), name="planner")

    async def stop(self) -> None:
        """End the process; nothing is left running."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None

    def _want_resync(self) -> None:
        self._resync_wanted = True
        self._queue.clear()
        self._wake.set()

    async def _supervise(self) -> None:
        while True:
            began = self._clock()
            try:
                await self._live()
            except (PlannerLost, OSError) as error:
                self.stats.last_error = str(error)
                log.warning("planner lost: %s", error)
            lived = self._clock() - began
            self._failures = 1 if lived > self._settings.healthy_after_s else self._failures + 1
            self.stats.restarts += 1
            await asyncio.sleep(min(self._settings.max_backoff_s, self._settings.backoff_s * 2 ** (self._failures - 1)))

    async def _live(self) -> None:
        """One life of the process. Raises PlannerLost when it ends."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await self._spawn(theirs.fileno(), ours)
        self.pid = process.pid
        writer: asyncio.StreamWriter | None = None
        tasks: list[asyncio.Task[None]] = []
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            self._started_at = self._clock()
            work = (self._read(reader), self._write(writer), self._watch(writer), self._await_end(process))
            tasks = [asyncio.create_task(coroutine) for coroutine in work]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._connected = False
            self.pid = 0
            await _end(process, writer, tasks)

    @staticmethod
    async def _spawn(descriptor: int, ours: socket.socket) -> asyncio.subprocess.Process:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = (sys.executable, "-m", _CHILD, str(descriptor), str(os.getpid()))
        try:
            return await asyncio.create_subprocess_exec(
                *arguments, pass_fds=(descriptor,), stdin=asyncio.subprocess.DEVNULL, env=environment
            )
        except BaseException:
            ours.close()
            raise

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                (size,) = HEADER.unpack(await reader.readexactly(HEADER.size))
                message = decode(await reader.readexactly(size))
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise PlannerLost("the process has closed its socket") from error
            self._receive(message)

    def _receive(self, message: Message) -> None:
        self._heard_at = self._clock()
        match message:
            case Planned(plan):
                self._plan = plan
                self.stats.plans += 1
                self.stats.last_solve_ms = plan.solve_ms
                if self._on_plan is not None:
                    self._on_plan(plan)
            case Valued(values):
                self._values = values
            case Failed(what, error):
                self.stats.last_error = error
                log.warning("planner: %s failed: %s", what, error)
                if what == "event":
                    self._want_resync()
                elif what == "solver":
                    self.stats.solver_failures += 1
                else:
                    self.stats.failed_plans += 1

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        settings = self._settings
        limit = 0.0 if self._failures >= settings.greedy_after_failures else settings.time_limit_s
        await _put(writer, settings.configuration(self._classes, limit))
        self._want_resync()
        self._connected = True
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._classes_changed:
                self._classes_changed = False
                await _put(writer, Classes(self._classes))
            if self._resync_wanted:
                await self._send_everything(writer)
            while self._queue and not self._resync_wanted:
                batch = tuple(self._queue.popleft() for _ in range(min(CHUNK, len(self._queue))))
                await _put(writer, Events(batch))
            await asyncio.sleep(settings.gather_s)

    async def _send_everything(self, writer: asyncio.StreamWriter) -> None:
        """All of the cache; events that come meanwhile queue up behind it."""
        self.stats.resyncs += 1
        everything = list(self._resync())
        self._queue.clear()
        self._resync_wanted = False
        for events in chunked(everything):
            await _put(writer, Events(events))
            await asyncio.sleep(0)  # let requests pass between two frames
        await _put(writer, Synced())

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        number = 0
        while True:
            await asyncio.sleep(self._settings.ping_interval_s)
            silent = self._clock() - max(self._heard_at, self._started_at)
            started = self._heard_at >= self._started_at
            if silent > (self._settings.hang_timeout_s if started else self._settings.start_timeout_s):
                self.stats.hangs += 1
                raise PlannerLost(f"no answer for {silent:.1f} s")
            number += 1
            writer.write(encode(Ping(number)))

    @staticmethod
    async def _await_end(process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        raise PlannerLost(f"the process ended with {code}")


async def _put(writer: asyncio.StreamWriter, message: Message) -> None:
    try:
        writer.write(encode(message))
        await writer.drain()
    except ConnectionError as error:
        raise PlannerLost("the process does not read any more") from error


async def _end(process: asyncio.subprocess.Process, writer: asyncio.StreamWriter | None, tasks: list[Any]) -> None:
    """Stop the tasks, close the socket, kill and reap the process."""
    for task in tasks:
        task.cancel()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await asyncio.gather(*tasks, return_exceptions=True)
    if writer is not None:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await process.wait()
