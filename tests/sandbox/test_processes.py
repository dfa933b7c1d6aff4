"""Children log, stop, are killed when they do not, and never survive their parent."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox.errors import ComponentFailedError, SandboxError
from sandbox.probe import wait_until
from sandbox.processes import Process, ProcessIdentity, identity_of, resident_bytes

SLEEP = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def started(argv: list[str], log: Path) -> Process:
    """A process that has come so far as to print."""
    process = Process("child", argv, log)
    wait_until("output", lambda: "up" in process.log_tail(), process=process)
    return process


def test_a_process_ends_when_asked(tmp_path: Path) -> None:
    process = started(SLEEP, tmp_path / "log")
    assert process.returncode is None
    assert process.identity.is_alive()
    assert resident_bytes(process.pid) > 0

    assert process.stop() == -signal.SIGTERM

    assert not process.identity.is_alive()
    assert resident_bytes(process.pid) == 0


def test_a_stubborn_process_is_killed(tmp_path: Path) -> None:
    process = started(STUBBORN, tmp_path / "log")

    assert process.stop(grace_seconds=0.1) == -signal.SIGKILL


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    process = started(SLEEP, tmp_path / "log")

    assert process.stop() == process.stop()


def test_the_whole_process_group_ends(tmp_path: Path) -> None:
    script = f"({' '.join(SLEEP[:2])} -c 'import time; time.sleep(60)') & echo $! up; wait"
    process = started(["/bin/sh", "-c", script], tmp_path / "log")
    grandchild = identity_of(int(process.log_tail().split()[0]))
    assert grandchild is not None

    process.stop()

    wait_until("grandchild gone", lambda: not grandchild.is_alive())


def test_an_ended_process_is_reported_with_its_log(tmp_path: Path) -> None:
    process = Process("child", ["/bin/sh", "-c", "echo went wrong; exit 7"], tmp_path / "log")
    process.wait(10)

    with pytest.raises(ComponentFailedError, match=r"(?s)child ended with exit code 7.*went wrong"):
        process.check()


def test_the_log_is_appended(tmp_path: Path) -> None:
    for word in ("first", "second"):
        Process("child", ["/bin/sh", "-c", f"echo {word}"], tmp_path / "log").wait(10)

    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_a_missing_program_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no-such-program is no executable file"):
        Process("child", [tmp_path / "no-such-program"], tmp_path / "log")


def test_a_process_survives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    # The kernel's parent-death signal follows the thread that forked: it must not be the caller's.
    processes: list[Process] = []
    thread = threading.Thread(target=lambda: processes.append(started(SLEEP, tmp_path / "log")))
    thread.start()
    thread.join()

    (process,) = processes
    with pytest.raises(subprocess.TimeoutExpired):
        process._child.wait(0.3)
    process.stop()


def test_a_process_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from sandbox.processes import Process; "
        "print(Process('child', ['/bin/sleep', '60'], Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = identity_of(int(parent.stdout.readline()))
        assert child is not None
        assert child.is_alive()

        parent.kill()

    wait_until("child gone", lambda: not child.is_alive())


def test_a_reused_pid_is_another_process() -> None:
    own = identity_of(os.getpid())
    assert own is not None

    assert own.is_alive()
    earlier = ProcessIdentity(own.pid, own.start_ticks - 1)
    assert not earlier.is_alive()
    assert not earlier.signal(signal.SIGKILL)  # it would be ours
