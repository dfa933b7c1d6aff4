"""The planner's claim on processors: it must not take them from the server, the scheduler or the API server."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

NICE: Final = 10
"""Weight 110 against 1024 (`sched_prio_to_weight` of the kernel): a tenth of a processor that somebody else wants, all of an idle one."""
_NICEST: Final = 19
"""The kernel's largest niceness."""
_AUTOGROUP: Final = Path("/proc/self/autogroup")
_FORM: Final = re.compile(r"/autogroup-[0-9]+ nice (-?[0-9]+)\n?")


def yield_processors(nice: int = NICE, autogroup: Path = _AUTOGROUP) -> None:
    """Lower the priority of this process, for good.

    Where the kernel groups by session (sched(7), autogroup: on in most distributions), niceness counts inside a session only, and
    a planner in the session of its server competed with the whole control plane as one equal. So the process gets a session of its own,
    and the session its niceness, on top of that of the server's session: a new one begins at 0, whatever it was started from.
    In a container there are control groups in its place and plain niceness is what counts.
    """
    server = session_nice(autogroup)
    os.setsid()
    # Another kernel has no such grouping, and a container may hide it: niceness counts everywhere then.
    with contextlib.suppress(OSError):
        autogroup.write_text(str(min(server + nice, _NICEST)), encoding="ascii")
    os.nice(nice)


def session_nice(autogroup: Path = _AUTOGROUP) -> int:
    """The niceness of this process's session; 0 where the kernel has no such grouping or a container hides it."""
    try:
        match = _FORM.fullmatch(autogroup.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return 0
    return int(match[1]) if match else 0
