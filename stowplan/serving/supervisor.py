"""A parent that ends a hung server within two seconds.

A process whose event loop hangs still accepts connections, and costs every pod the extender's whole timeout
(5 pods/s at 200 ms). Nothing inside it can notice. So the child's event loop writes a byte to a pipe five times
a second, and the parent kills and replaces the child when the bytes stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 0.2
HEARTBEAT_VARIABLE: Final = "SUPERVISOR_HEARTBEAT_FD"
RESTARTS_VARIABLE: Final = "SUPERVISOR_RESTARTS"
_LOOK_SECONDS: Final = 0.1
_STOLEN_SECONDS: Final = 0.5
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the parent waits for what, in seconds.

    Attributes:
        heartbeat: silence after which the child is killed.
        startup: time until the first heartbeat (imports, listening).
        starved: most that a silence is forgiven because the child waited for a CPU: a new one would wait as well.
        grace: time to exit after SIGTERM; above drain and grace of the server, below the pod's.
        backoff: wait before the first restart; doubled for each following one.
        backoff_limit: longest wait before a restart.
        healthy: a child that lived this long resets the back-off.
    """

    heartbeat: float = 1.5
    startup: float = 30.0
    starved: float = 10.0
    grace: float = 25.0
    backoff: float = 0.1
    backoff_limit: float = 5.0
    healthy: float = 60.0

    def before_restart(self, failures: int) -> float:
        """Seconds to wait before the restart after this many failures in a row (at least one)."""
        return float(min(self.backoff_limit, self.backoff * 2.0 ** min(failures - 1, 30)))


DEFAULT_PATIENCE: Final = Patience()


async def heartbeat(interval: float = HEARTBEAT_SECONDS) -> None:
    """Run as a task in the child: tells the parent that the event loop turns. Returns at once without a parent.

    When the parent is gone, the process gets SIGTERM, to drain and end.
    """
    descriptor = os.environ.pop(HEARTBEAT_VARIABLE, None)
    if descriptor is None:
        return
    pipe = int(descriptor)
    os.set_inheritable(pipe, False)  # a child of ours must not speak for us
    os.set_blocking(pipe, False)
    while True:
        try:
            os.write(pipe, b".")
        except BlockingIOError:
            pass  # the parent is stopped, and the pipe holds all it needs to know
        except BrokenPipeError:
            log.warning("the supervisor is gone; ending")
            signal.raise_signal(signal.SIGTERM)
            return
        await asyncio.sleep(interval)


def restarts() -> int:
    """How often the parent has replaced this process's predecessors; 0 without a parent."""
    return int(os.environ.get(RESTARTS_VARIABLE, "0"))


def run_supervised(
    child_argv: Sequence[str],
    *,
    patience: Patience = DEFAULT_PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    waited_for_cpu: Callable[[int], float] | None = None,
) -> int:
    """Run ``child_argv`` until it ends for good, replacing it when it hangs or crashes. Main thread only.

    SIGTERM and SIGINT are forwarded as SIGTERM. The child gets a process group of its own, which is killed as a whole,
    and dies with this process (Linux). It stays in our session: docs/decisions/0011.

    Returns:
        The exit status: the child's own when it ended by itself with 0, after our SIGTERM, or before its first
        heartbeat ever (a start-up error is to be seen, not repeated); 128 + signal number as in a shell.
    """
    return _Supervisor(list(child_argv), patience, clock, waited_for_cpu or seconds_waited_for_cpu).run()


class _Supervisor:
    def __init__(
        self,
        argv: list[str],
        patience: Patience,
        clock: Callable[[], float],
        waited_for_cpu: Callable[[int], float],
    ) -> None:
        self._argv = argv
        self._patience = patience
        self._clock = clock
        self._waited_for_cpu = waited_for_cpu
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping_since: float | None = None
        self._restarts = 0
        self._ever_beat = False

    def run(self) -> int:
        previous = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            failures = 0
            while True:
                started = self._clock()
                status = self._run_child()
                if status == 0 or self._stopping() or not self._ever_beat:
                    return status
                failures = 1 if self._clock() - started >= self._patience.healthy else failures + 1
                self._restarts += 1
                log.error("child ended with %d; restart %d", status, self._restarts)
                self._pause(self._patience.before_restart(failures))
                if self._stopping():
                    return 0
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _stopping(self) -> bool:
        return self._stopping_since is not None

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping_since is None:
            self._stopping_since = self._clock()
        if self._child is not None:
            self._child.terminate()

    def _pause(self, seconds: float) -> None:
        end = self._clock() + seconds
        while not self._stopping() and self._clock() < end:
            time.sleep(min(_LOOK_SECONDS, seconds))

    def _run_child(self) -> int:
        reading, writing = os.pipe()
        try:
            self._child = self._start(writing)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        if self._stopping():  # the signal came while the child was being started
            self._child.terminate()
        try:
            self._watch(self._child, reading)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)  # what is left of its group
            status = self._child.wait()
            self._child = None
            os.close(reading)
        return status if status >= 0 else 128 - status

    def _start(self, writing: int) -> subprocess.Popen[bytes]:
        environment = {**os.environ, HEARTBEAT_VARIABLE: str(writing), RESTARTS_VARIABLE: str(self._restarts)}
        return subprocess.Popen(
            self._argv,
            env=environment,
            pass_fds=[writing],
            process_group=0,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one system call, and this process has one thread
        )

    def _watch(self, child: subprocess.Popen[bytes], reading: int) -> None:
        """Return when the child has exited or must be killed."""
        deadline = self._clock() + self._patience.startup
        looked = self._clock()
        waited = 0.0
        while child.poll() is None:
            beating = self._beats(reading)
            now = self._clock()
            if beating:
                self._ever_beat = True
                deadline = now + self._patience.heartbeat
                waited = self._waited_for_cpu(child.pid)
            elif now - looked > _LOOK_SECONDS + _STOLEN_SECONDS:
                deadline = max(deadline, now + self._patience.heartbeat)  # it was us who did not run: start over
            looked = now
            if self._stopping_since is not None:
                deadline = self._stopping_since + self._patience.grace
            if now >= deadline and now >= deadline + min(
                self._patience.starved, self._waited_for_cpu(child.pid) - waited
            ):
                log.error("child %d: no heartbeat, or no end in time; killing it", child.pid)
                return

    def _beats(self, reading: int) -> bool:
        ready, _, _ = select.select([reading], [], [], _LOOK_SECONDS)
        if not ready:
            return False
        if os.read(reading, 65536):
            return True
        time.sleep(_LOOK_SECONDS)  # the pipe is closed: the child is about to be gone
        return False


def seconds_waited_for_cpu(pid: int) -> float:
    """Seconds that a process's main thread was ready to run and did not (Linux: second field of schedstat); 0 where unknown."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as statistics:  # noqa: PTH123 - ten times a second at worst, cheap
            return int(statistics.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _die_with_parent() -> Callable[[], object] | None:
    """For the child, before it becomes the server: SIGKILL when the parent dies, however it dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: not between fork and exec
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
