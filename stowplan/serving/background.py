"""What runs beside a server: where it fails the process ends, with a status that says so, rather than only look alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from stowplan.serving.http import Drain

log = logging.getLogger(__name__)


def drain_on_failure(drain: Drain, tasks: Collection[asyncio.Task[None]], said: str) -> None:
    """Begin to drain as soon as one of some tasks fails, with these words in the log."""

    def done(task: asyncio.Task[None]) -> None:
        error = _failure(task)
        if error is not None:
            log.error(said, exc_info=error)
            drain.begin()

    for task in tasks:
        task.add_done_callback(done)


def raise_failure(tasks: Collection[asyncio.Task[None]]) -> None:
    """Raise what the first of some ended tasks failed with, if any: the process must not look as if it had been told to end."""
    for task in tasks:
        error = _failure(task)
        if error is not None:
            raise error


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
