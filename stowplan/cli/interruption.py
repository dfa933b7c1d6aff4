"""Work that takes back what it has half done where it is interrupted, for the commands that change a cluster."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - somebody's wish, not an error
    """By which signal."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"interrupted by {number.name}")
        self.number = number


def run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, but SIGTERM ends it as SIGINT does: by cancelling the work, whose `finally` clauses are waited for.

    For the main thread only, as only that one may handle signals.

    Raises:
        Interrupted: by one of them.
    """
    received: list[signal.Signals] = []

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def interrupt(number: signal.Signals) -> None:
            received.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt, number)
        return await task

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if not received:
            raise
        raise Interrupted(received[0]) from None


def is_interrupted() -> bool:
    """Whether the running task was asked to end: an error that comes now may stand in place of the cancellation."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
