"""Processor time of processes and their children, and how long they waited for a processor, from /proc."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Fields 14 and 15 of /proc/PID/stat, counted after the name (proc(5))."""


def family(pid: int) -> dict[int, str]:
    """The process and all its descendants that live now, with their command lines."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            command = Path(f"/proc/{current}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            tasks = list(Path(f"/proc/{current}/task").iterdir())
            waiting += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[current] = command
    return found


def milliseconds(pid: int) -> int:
    """User and system time of a process so far; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[_UTIME]) + int(fields[_STIME])) * 1000 // _TICKS


def queued_milliseconds(pid: int) -> int:
    """How long the threads of a process were ready to run and did not (second field of schedstat); 0 where the kernel does not say."""
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text(encoding="utf-8").split()[1])
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total // 1_000_000


def by_name(processes: Mapping[str, int], count: Callable[[int], int] = milliseconds) -> dict[str, int]:
    """Milliseconds by name; a planner process is counted apart from the server that it belongs to.

    Args:
        processes: name -> process id.
        count: of one process id.
    """
    used: dict[str, int] = {}
    for name, pid in processes.items():
        for member, command in family(pid).items():
            part = "planner" if "extender.planner.child" in command else name
            used[part] = used.get(part, 0) + count(member)
    return used
