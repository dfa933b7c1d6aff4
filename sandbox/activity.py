"""Progress of anything that waits: a live line on a terminal, plain lines everywhere else.

Everything goes to standard error, so that standard output stays fit for scripts.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_PLAIN_LINE_SECONDS = 10.0
"""Least time between two plain lines: a build log stays readable, and a watcher sees that it lives."""


class Activity(Protocol):
    """Something that takes a while and says how far it is."""

    def update(self, detail: str, done: int = 0, total: int | None = None) -> None:
        """Show ``detail`` and, where the total is known, how much is done."""


class PlainActivity:
    """Writes a line at the start, one every few seconds while something changes, and one at the end."""

    def __init__(self, title: str, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._write, self._clock = title, write, clock
        self._started = self._written = clock()
        write(f"{title} ...")

    def update(self, detail: str, done: int = 0, total: int | None = None) -> None:
        """Write a line when the last one is old enough."""
        now = self._clock()
        if now - self._written >= _PLAIN_LINE_SECONDS:
            self._written = now
            share = f"{done}/{total} " if total else ""
            self._write(f"{self._title}: {share}{detail} ({now - self._started:.0f} s)")

    def end(self, outcome: str) -> None:
        """Write how it ended and how long it took."""
        self._write(f"{self._title}: {outcome} ({self._clock() - self._started:.1f} s)")


class LiveActivity:
    """One line that is redrawn: spinner, bar where the total is known, elapsed time, detail."""

    def __init__(self, title: str, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task(escape(title), total=None, detail="")

    def update(self, detail: str, done: int = 0, total: int | None = None) -> None:
        """Redraw the line."""
        self._progress.update(self._task, completed=done, total=total, detail=escape(detail))


@contextmanager
def activity(title: str, console: Console | None = None) -> Iterator[Activity]:
    """Show ``title`` and its progress on standard error while the block runs."""
    console = console or Console(stderr=True)
    if console.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield LiveActivity(title, progress)
        return
    plain = PlainActivity(title, _write_line)
    try:
        yield plain
    except BaseException:
        plain.end("failed")
        raise
    plain.end("done")


def _write_line(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
