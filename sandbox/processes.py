"""Child processes that are never orphaned: own process group, log file, killed by the kernel with their parent."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import ComponentFailedError, SandboxError

_SHIM = Path(__file__).with_name("die_with_parent.py")
_LOG_TAIL_BYTES = 3_000

# The kernel sends the parent-death signal when the THREAD that forked ends, not the process. So one thread that
# lives as long as the interpreter does all the forking, whichever thread asks for it.
_FORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-forker")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process beyond doubt: a pid alone may have been given to another process since."""

    pid: int
    start_ticks: int
    """Start time in clock ticks since boot (field 22 of /proc/PID/stat)."""

    def is_alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        stat = _stat(self.pid)
        return stat is not None and stat.start_ticks == self.start_ticks and stat.state not in "ZX"

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal if the process still runs; returns whether it was sent."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


@dataclass(frozen=True)
class _Stat:
    state: str
    start_ticks: int


def _stat(pid: int) -> _Stat | None:
    """State and start time of a process, or None without one. The name, in brackets, may contain anything."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return _Stat(fields[0], int(fields[19]))


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of the process that has this pid now, or None."""
    stat = _stat(pid)
    return None if stat is None else ProcessIdentity(pid, stat.start_ticks)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class Process:
    """A running child. Its output goes to ``log``, appended.

    Args:
        name: what people call it.
        argv: program and arguments; a program without a slash is looked up on PATH.
        log: file for standard output and error.
        environment: the whole environment, by default the caller's.

    Raises:
        SandboxError: the program does not exist, or the system is not Linux.
    """

    def __init__(
        self, name: str, argv: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        if sys.platform != "linux":
            raise SandboxError("the sandbox needs Linux: only its kernel ends children together with their parent")
        program = shutil.which(str(argv[0]))
        if program is None:
            raise SandboxError(f"{name}: {argv[0]} is no executable file; give its absolute path")
        self.name = name
        self.argv = (str(Path(program).absolute()), *map(str, argv[1:]))
        self.log = log
        self._child = _FORKER.submit(self._fork, environment).result()
        self.identity = identity_of(self._child.pid) or ProcessIdentity(self._child.pid, 0)

    def _fork(self, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
        # Isolated mode without site: the shim starts in milliseconds and sees nothing of the caller's Python.
        command = [sys.executable, "-I", "-S", str(_SHIM), str(os.getpid()), *self.argv]
        with self.log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,  # Ctrl-C is for the owner, who then stops the children in order
            )

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal, None while it runs."""
        return self._child.poll()

    def check(self) -> None:
        """Nothing while the process runs.

        Raises:
            ComponentFailedError: it ended; the message carries the end of its log.
        """
        if self.returncode is not None:
            raise ComponentFailedError(
                f"{self.name} ended with exit code {self.returncode}; log {self.log}:\n{self.log_tail()}"
            )

    def log_tail(self) -> str:
        """The last lines of the log."""
        return self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace")

    def terminate(self) -> None:
        """Ask the process group to end; nothing happens when the process has ended."""
        if self.returncode is None:
            self._signal(signal.SIGTERM)

    def wait(self, grace_seconds: float) -> int:
        """Wait for the end; after ``grace_seconds`` the process group is killed. Returns the exit code."""
        try:
            code = self._child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._child.wait()
        self._signal(signal.SIGKILL)  # what it may have left behind in its group
        return code

    def stop(self, grace_seconds: float = 3.0) -> int:
        """End the process group: SIGTERM, then SIGKILL. Returns the exit code."""
        self.terminate()
        return self.wait(grace_seconds)

    def kill(self) -> None:
        """SIGKILL to the process group; nothing happens when the process has ended."""
        if self.returncode is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # nobody is left; macOS says "not permitted" for a group of zombies
