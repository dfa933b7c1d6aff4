"""The planner's claim on processors: it must not take them from the server, the scheduler or the API server."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

NICE: Final = 10
"""Weight 110 against 1024 (`sched_prio_to_weight` of the kernel): a tenth of a processor that somebody else wants, all of an idle one."""
_AUTOGROUP: Final = Path("/proc/self/autogroup")


def yield_processors(nice: int = NICE, autogroup: Path = _AUTOGROUP) -> None:
    """Lower the priority of this process, for good.

    Where the kernel groups by session (sched(7), autogroup: on in most distributions), niceness counts inside a session only, and
    a planner in the session of its server competed with the whole control plane as one equal. So the process gets a session of its own,
    and the session its niceness. In a container there are control groups in its place and plain niceness is what counts.
    """
    os.setsid()
    # Another kernel has no such grouping, and a container may hide it: niceness counts everywhere then.
    with contextlib.suppress(OSError):
        autogroup.write_text(str(nice), encoding="ascii")
    os.nice(nice)
