"""The supervisor with real processes: hung, crashed, stopped and orphaned children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stowplan.serving.supervisor import Patience, heartbeat, restarts, seconds_waited_for_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = """
import asyncio, os, pathlib, signal, sys
from stowplan.serving.supervisor import heartbeat, restarts

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    beating = asyncio.create_task(heartbeat(0.05))
    await asyncio.sleep(0.1)
    (pathlib.Path(sys.argv[1]) / f"child{restarts()}").write_text(str(os.getpid()))
    await stop.wait()

asyncio.run(main())
sys.exit(7)
"""
PARENT = """
import sys
from stowplan.serving.supervisor import Patience, run_supervised

patience = Patience(heartbeat=0.6, startup=20.0, grace=10.0, backoff=0.05)
sys.exit(run_supervised([sys.executable, "-c", *sys.argv[1:]], patience=patience))
"""


STARVING_PARENT = """
import sys, time
from stowplan.serving.supervisor import Patience, run_supervised

patience = Patience(heartbeat=0.3, startup=20.0, starved=1000.0, grace=10.0, backoff=0.05)
waited = time.monotonic  # as if the child had waited for a CPU ever since
sys.exit(run_supervised([sys.executable, "-c", *sys.argv[1:]], patience=patience, waited_for_cpu=lambda pid: waited()))
"""


@contextlib.contextmanager
def supervised(program: str, directory: Path, parent: str = PARENT) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor of a Python program."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", parent, program, str(directory)]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited two minutes in vain")


def pid_of(directory: Path, number: int) -> int:
    """The pid that child ``number`` wrote once it was up."""
    path = directory / f"child{number}"
    until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_hung_child_is_replaced_and_sigterm_reaches_the_new_one(tmp_path: Path) -> None:
    with supervised(SERVER, tmp_path) as parent:
        first = pid_of(tmp_path, 0)
        os.kill(first, signal.SIGSTOP)

        second = pid_of(tmp_path, 1)

        assert second != first
        assert not alive(first)
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(120) == 7  # the child's own status after a clean end
        assert not alive(second)


@pytest.mark.slow
def test_a_crashed_child_is_replaced(tmp_path: Path) -> None:
    with supervised(SERVER, tmp_path):
        os.kill(pid_of(tmp_path, 0), signal.SIGKILL)
        os.kill(pid_of(tmp_path, 1), signal.SIGSEGV)

        assert alive(pid_of(tmp_path, 2))


@pytest.mark.slow
@pytest.mark.parametrize("hung", [False, True])
def test_a_child_does_not_outlive_its_parent(tmp_path: Path, *, hung: bool) -> None:
    with supervised(SERVER, tmp_path) as parent:
        child = pid_of(tmp_path, 0)
        if hung:
            os.kill(child, signal.SIGSTOP)
        parent.kill()
        try:
            until(lambda: not alive(child))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise SystemExit(2)", 2),  # a start-up error is shown, not repeated
        ("raise SystemExit(0)", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_an_end_before_the_first_heartbeat_is_final(tmp_path: Path, program: str, status: int) -> None:
    with supervised(program, tmp_path) as parent:
        assert parent.wait(120) == status


def test_the_child_has_a_group_of_its_own_and_stays_in_our_session(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text(f'{{os.getpgid(0)}} {{os.getpid()}} {{os.getsid(0)}}')"

    with supervised(program, tmp_path) as parent:
        assert parent.wait(120) == 0

    group, pid, session = map(int, told.read_text().split())
    assert group == pid  # killed as a whole, and no signal of a terminal reaches it past the parent
    assert session == os.getsid(0)  # where the kernel groups by session it competes as what it was started from


@pytest.mark.slow
def test_a_blocked_event_loop_is_a_hung_child(tmp_path: Path) -> None:
    blocking = SERVER.replace("await stop.wait()", "import time; time.sleep(600)")
    with supervised(blocking, tmp_path):
        first = pid_of(tmp_path, 0)
        assert pid_of(tmp_path, 1) != first


async def test_without_a_supervisor_the_heartbeat_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPERVISOR_HEARTBEAT_FD", raising=False)
    await heartbeat()
    assert restarts() == 0


def test_backoff_doubles_up_to_its_limit() -> None:
    waits = [Patience().before_restart(failures) for failures in (1, 2, 3, 6, 7, 1000)]
    # 0.1 s doubled: 0.1, 0.2, 0.4, ..., 3.2 for the sixth; then the limit of 5 s.
    assert waits == pytest.approx([0.1, 0.2, 0.4, 3.2, 5.0, 5.0])


def test_a_child_that_waits_for_a_cpu_is_not_replaced(tmp_path: Path) -> None:
    with supervised(SERVER, tmp_path, STARVING_PARENT) as parent:
        first = pid_of(tmp_path, 0)
        os.kill(first, signal.SIGSTOP)
        time.sleep(1.5)  # five times the patience for a heartbeat
        os.kill(first, signal.SIGCONT)
        parent.terminate()

        assert parent.wait(timeout=120) == 7  # the first child's own status: it was there to take the signal
    assert not (tmp_path / "child1").exists()


def test_waiting_for_a_cpu_is_read_from_the_kernel() -> None:
    before = seconds_waited_for_cpu(os.getpid())

    assert 0.0 <= before <= seconds_waited_for_cpu(os.getpid())
    assert seconds_waited_for_cpu(2**30) == 0.0  # no such process
