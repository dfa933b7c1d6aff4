"""File locks: held by an open file, freed by the kernel when the holder ends, however it ends."""

import fcntl
from typing import IO


def try_lock(file: IO[str]) -> bool:
    """Lock an open file for this process alone, if nobody else holds it; returns whether it worked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(file: IO[str]) -> None:
    """Lock an open file, waiting as long as it takes."""
    fcntl.flock(file, fcntl.LOCK_EX)
