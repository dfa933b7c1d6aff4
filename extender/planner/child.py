"""The planner process: reads events, waits for a quiet moment, plans, answers. Single-threaded, and nicer than the server.

Started by `PlannerClient`; ends when the server's end of the socket closes or the server dies.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

from extender.allocator import give_back_free_memory
from extender.binpacking.planning import make_plan
from extender.binpacking.refusal import RefusalReason
from extender.cluster.snapshot import Snapshot
from extender.drain_set import drain_set, starved
from extender.moves.rescue import rescue
from extender.plan import SHOWN_ORDER, Plan, Rescue
from extender.planner.coverage import covers
from extender.planner.demand import Publish, plan_demand
from extender.planner.lives import Lives
from extender.planner.messages import (
    Classes,
    Configure,
    Events,
    Failed,
    FrameReader,
    Message,
    Ping,
    Planned,
    Pong,
    Synced,
    Valued,
    encode,
)
from extender.planner.mirror import Mirror, still_to_come
from extender.planner.priority import yield_processors
from extender.planner.window import BatchWindow

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_READ_BYTES: Final = 1 << 18
_SCHEDULED_PER_S: Final = 100
"""Pods that a scheduler places in a second on a busy machine, on the low side."""
_LEAST_SOLVER_S: Final = 0.05
_NOTHING_WAITS_S: Final = 2.0
"""Between two plans while no pod waits: only the fill order may change."""
_RESCUE_S: Final = 15.0
"""Between two searches for rearrangements."""
_DRAIN_S: Final = 10.0
"""Between two drain sets: nodes take longer than this to run empty."""
_MOST_RESCUES: Final = 3
"""Signatures for which one is looked for in a search, the first that are unplaced."""
_RENEW_S: Final = 2.0
"""After this time a plan is made anew even where the last one still has a slot for every pod."""
_RENEWED_PER_TAKEN: Final = 4.0
"""Or after so many times as long as it took to make, if that is longer: renewals take a fifth of a processor at most."""


class PlannerLoop:
    """State of the planner process; `receive` and `tick` are all that happens.

    Args:
        send: hands a message to the server.
        clock: steady seconds.
        plan: `make_plan`, or a test's.
        lives: what was learned of pods; new by default.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        clock: Callable[[], float] = time.monotonic,
        plan: Callable[..., Plan] = make_plan,
        lives: Lives | None = None,
    ) -> None:
        self._send = send
        self._clock = clock
        self._make_plan = plan
        self._lives = Lives() if lives is None else lives
        self._mirror = Mirror(self._lives)
        self._configured = Configure({}, 1.0, 0.05, 0.5)
        self._window = BatchWindow(0.05, 0.5)
        self._classes = self._configured.classes
        self._synced = False
        self._last: tuple[Plan, Snapshot] | None = None
        self._last_at = -_NOTHING_WAITS_S
        self._renewal_due = False
        self._renew_s = _RENEW_S
        self._drain: tuple[str, ...] = ()
        self._rescues: tuple[Rescue, ...] = ()
        self._drained_at = self._rescued_at = float("-inf")

    def receive(self, message: Message) -> None:
        """React to one message of the server."""
        match message:
            case Configure():
                self._configured = message
                self._classes = message.classes
                self._window = BatchWindow(message.idle_window_s, message.max_window_s)
            case Classes(classes):
                self._classes = classes
                self._window.touch(self._clock())
            case Events(events):
                before = self._mirror.generation
                for method, arguments in events:
                    self._apply(method, arguments)
                if self._mirror.generation != before:
                    self._window.touch(self._clock())
            case Synced():
                self._synced = True
                self._window.touch(self._clock())
            case Ping(number):
                self._send(Pong(number))
            case _:
                self._send(Failed("event", f"unexpected message {type(message).__name__}"))

    def wait(self) -> float | None:
        """Seconds until `tick` has something to do; None where only a message can change that."""
        waits = (self._wait_to_plan(), self._lives.due_in() if self._synced else None)
        return min((wait for wait in waits if wait is not None), default=None)

    def _wait_to_plan(self) -> float | None:
        wait = self._window.wait(self._clock()) if self._synced else None
        if wait is None and self._renewal_due:
            wait = max(0.0, self._last_at + self._renew_s - self._clock())
        if wait is None or self._mirror.asks_for_slots or (self._last and _asks_for_slots(self._last[1])):
            return wait
        return max(wait, self._last_at + _NOTHING_WAITS_S - self._clock())

    def tick(self) -> None:
        """Plan if it is time; then say what was learned about nodes, if that is due."""
        if self._wait_to_plan() == 0:
            self._plan_now()
        values = self._lives.values(self._mirror.generation) if self._synced else None
        if values is not None:
            self._send(Valued(values))

    def _plan_now(self) -> None:
        self._window.close()
        snapshot = self._mirror.snapshot()
        if self._covered(snapshot):
            return
        began = self._clock()
        plan = self._plan(snapshot)
        self._last_at = self._clock()
        self._renew_s = max(_RENEW_S, _RENEWED_PER_TAKEN * (self._last_at - began))
        if plan is not None:
            self._last = (plan, snapshot)
            self._publish(plan, snapshot)
            self._look_further(plan, snapshot)

    def _look_further(self, plan: Plan, snapshot: Snapshot) -> None:
        """Renew what plans carry along, after a plan is out and at intervals: at 5,000 nodes it takes as long as some plans."""
        known = self._drain, self._rescues
        if self._clock() - self._drained_at >= _DRAIN_S:
            self._drain, self._drained_at = drain_set(snapshot), self._clock()
        if not plan.unplaced:
            self._rescues = ()
        elif self._clock() - self._rescued_at >= _RESCUE_S:
            self._rescues, self._rescued_at = self._rearrangements(plan, snapshot), self._clock()
        if known != (self._drain, self._rescues):
            self._publish(plan, snapshot)

    def _rearrangements(self, plan: Plan, snapshot: Snapshot) -> tuple[Rescue, ...]:
        short = [u.signature for u in plan.unplaced if u.reason == RefusalReason.INSUFFICIENT_RESOURCES.value]
        found = (
            rescue(signature, snapshot, self._mirror.pods().on, self._classes) for signature in short[:_MOST_RESCUES]
        )
        return tuple(one for one in found if one is not None)

    def _publish(self, plan: Plan, snapshot: Snapshot) -> None:
        order = starved(plan.fill_order, self._drain, snapshot)
        order = order if self._configured.whole_order else order[:SHOWN_ORDER]
        self._send(Planned(dataclasses.replace(plan, drain=self._drain, rescues=self._rescues, fill_order=order)))

    def _covered(self, snapshot: Snapshot) -> bool:
        """Whether the last plan is young and being carried out: planning again would only take processor time from the scheduler.

        It is enough that it has slots for those that come next; then it is renewed in time even where nothing else happens.
        """
        self._renewal_due = False
        if self._last is None or self._clock() - self._last_at >= self._renew_s or not _asks_for_slots(snapshot):
            return False
        plan, then = self._last
        left = still_to_come(plan, then, snapshot)
        if covers(left, then, snapshot):
            return True
        # a pod behind our gate waits for a slot of its own
        self._renewal_due = not self._mirror.holds_pods and covers(left, then, snapshot, ahead=_SCHEDULED_PER_S)
        return self._renewal_due

    def _apply(self, method: str, arguments: tuple[object, ...]) -> None:
        try:
            self._lives.heed(method, arguments)
            self._mirror.apply(method, arguments)
        except Exception as error:  # noqa: BLE001  # whatever it is, the mirror may be wrong now, and the server can repair it
            self._send(Failed("event", f"{method}: {error!r}"))

    def _plan(self, snapshot: Snapshot) -> Plan | None:
        previous = still_to_come(*self._last, snapshot) if self._last else None
        for attempt, time_limit_s in (
            ("solver", solver_seconds(snapshot, self._configured.time_limit_s)),
            ("plan", 0.0),
        ):
            try:
                return self._plan_within(time_limit_s, snapshot, previous)
            except Exception as error:  # noqa: BLE001  # a planner that dies of odd input would die of it again
                self._send(Failed(attempt, repr(error)))
        return None

    def _plan_within(self, time_limit_s: float, snapshot: Snapshot, previous: Plan | None) -> Plan:
        outlook = self._lives.outlook() if _asks_for_slots(snapshot) else None

        def make(asked: Snapshot, publish: Publish, limit_s: float = time_limit_s) -> Plan:
            return self._make_plan(
                asked,
                previous,
                self._classes,
                time_limit_s=limit_s,
                seed=self._configured.seed,
                workers=self._configured.workers,
                latency_budget_permille=self._configured.latency_budget_permille,
                outlook=outlook,
                on_baseline=publish,
            )

        return plan_demand(
            snapshot,
            make,
            greedy=lambda asked: make(asked, _keep_quiet, 0.0),
            publish=lambda plan: self._publish(dataclasses.replace(plan, early=True), snapshot),
        )


def solver_seconds(snapshot: Snapshot, limit_s: float) -> float:
    """How long to improve on the greedy plan: no longer than the pods that wait take to be scheduled, and no plan is made meanwhile.

    Measured in the demo: with a fixed second, most pods of a burst were scheduled between two plans.
    """
    waiting = sum(snapshot.pending.values())
    return min(limit_s, max(_LEAST_SOLVER_S, waiting / _SCHEDULED_PER_S)) if limit_s > 0 else 0.0


def _asks_for_slots(snapshot: Snapshot) -> bool:
    return bool(snapshot.pending or snapshot.expected)


def _keep_quiet(_: Plan) -> None:
    """For a plan that is only compared."""


def serve(connection: socket.socket) -> None:
    """Serve one server until it closes the socket."""
    frames = FrameReader()
    connection.sendall(encode(Pong(0)))  # started: loading OR-Tools takes seconds on a busy machine
    loop = PlannerLoop(lambda message: connection.sendall(encode(message)))
    while True:
        readable, _, _ = select.select([connection], [], [], loop.wait())
        if readable:
            data = connection.recv(_READ_BYTES)
            if not data:
                return
            for message in frames.feed(data):
                loop.receive(message)
        else:
            loop.tick()


def die_with(parent: int) -> None:
    """Be killed by the kernel when the parent ends, however that ends. Does nothing where there is no prctl."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def main(arguments: list[str]) -> None:
    """`child.py FILE_DESCRIPTOR PARENT_PID`."""
    descriptor, parent = (int(argument) for argument in arguments)
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to stop
    yield_processors()
    give_back_free_memory()
    try:
        with socket.socket(fileno=descriptor) as connection:
            serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        return  # the server is gone


if __name__ == "__main__":
    main(sys.argv[1:])
