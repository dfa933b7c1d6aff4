"""Memory of a process and its children by what they do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from perf.throughput.processor_time import family

_PLANNER: Final = "extender.planner.child"
_SERVER: Final = "--supervise=false"


def role(command: str) -> str:
    """What a process of the extender does, by its command line."""
    if _PLANNER in command:
        return "planner"
    return "server" if _SERVER in command else "supervisor"


def proportional_kib(smaps_rollup: str) -> int:
    """The proportional set size: pages shared with other processes count in part, so that sums mean something."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def resident_mib(pid: int) -> dict[str, int]:
    """MiB by role, of a process and its children that live now; and in `total`."""
    kib: dict[str, int] = {}
    for member, command in family(pid).items():
        kib[role(command)] = kib.get(role(command), 0) + _of(member)
    mib: Mapping[str, int] = {name: value // 1024 for name, value in kib.items()}
    return {**mib, "total": sum(kib.values()) // 1024}


def _of(pid: int) -> int:
    try:
        return proportional_kib(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
