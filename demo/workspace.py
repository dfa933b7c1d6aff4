"""Temporary state of one demo: unique, so that two demos do not meet, and swept up after one that was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "stowplan-demo-"
_LOCK = "lock"


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """A new directory that is removed at the end of the block.

    It holds a lock as long as its demo lives, so that what a killed demo left behind can be told from what is in use.
    """
    root = parent or Path(tempfile.gettempdir())
    sweep(root)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    with (directory / _LOCK).open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove the directories of demos that are not alive: ours, and with a lock file that nobody holds."""
    for directory in root.glob(f"{_PREFIX}*"):
        lock_file = directory / _LOCK
        if lock_file.is_file() and lock_file.stat().st_uid == os.getuid() and not _held(lock_file):
            shutil.rmtree(directory, ignore_errors=True)


def _held(lock_file: Path) -> bool:
    with lock_file.open("r", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
