"""What a pass reads of each container: its history, completed by what is open where little is known, in groups of one window each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.remembering.codes import decode, encode
from recommender.remembering.history import BANDS, DAYS, History, Sketch
from recommender.remembering.learned import Learned, history_from, window_of_runs
from recommender.remembering.open_sketches import OpenSketches
from recommender.workloads.fleet import Fleet, Tracked

SETTLED_DAYS: Final = 2
"""With fewer closed days than this the open day counts as one."""
_PEAK: Final = BANDS + 1


@dataclass(frozen=True, slots=True)
class View:
    """A container as the pass sees it."""

    tracked: Tracked
    container: str
    learned: Learned
    history: History
    ahead: int
    """1 where the day that is open takes part, as if it were over; else 0."""
    hours: float
    """Hours of usage known; of runs 24 for each."""

    @property
    def settled(self) -> bool:
        """Whether it rests on closed days (runs) alone."""
        return self.ahead == 0


def views(fleet: Fleet, workloads: Sequence[Tracked], today: int) -> list[View]:
    """All containers of some workloads."""
    return [
        _view(fleet, tracked, container, row, today) for tracked in workloads for container, row in tracked.rows.items()
    ]


def _view(fleet: Fleet, tracked: Tracked, container: str, row: int, today: int) -> View:
    learned = fleet.at(row)
    history, days = learned.history, learned.days
    hours, ahead = days * 24.0, 0
    if tracked.by_runs or learned.slow.init:
        history = window_of_runs(learned, today)
        opened = _open_run(fleet, tracked, container) if days == 0 else None
        if opened is not None:
            history.add(today, opened)
            hours, ahead = 1.0, 1
    elif days < SETTLED_DAYS:
        opens = _open_days(fleet, row)
        if opens:
            history = history_from(learned.history, 0)
            for day, sketch, seen in opens:
                history.add(min(day, today), sketch)
                hours += seen
            ahead = 1
    newest = int(history.days.max())
    # an OOM kill of a day (run) that is closed is a peak of that day already
    if learned.slow.oom_day > learned.newest and newest >= 0:
        history = _with_peak(history, newest, learned.slow.oom_bytes)
    return View(tracked, container, learned, history, ahead, hours)


def _open_days(fleet: Fleet, row: int) -> list[tuple[int, Sketch, int]]:
    """Day, sketch and hours with samples of each open day that has any."""
    found = []
    for day, sketches in sorted(fleet.days.items()):
        sketch = sketches.sketches(np.array([row])).get(row)
        if sketch is not None:
            found.append((day, sketch, int((sketches.seconds[row] > 0).sum())))
    return found


def _open_run(fleet: Fleet, tracked: Tracked, container: str) -> Sketch | None:
    """All runs going on, as one."""
    together = OpenSketches()
    for run in fleet.runs.get(tracked.key, {}).values():
        if container in run.rows:
            together.merge(0, fleet.run_sketches, run.rows[container])
    return together.sketches(np.array([0])).get(0)


def _with_peak(of: History, day: int, needed: float) -> History:
    copy = history_from(of, 0)
    slot = day % DAYS
    had = float(np.nan_to_num(decode(copy.codes[slot, _PEAK : _PEAK + 1])[0]))
    copy.codes[slot, _PEAK] = encode(np.array([max(had, needed)]))[0]
    return copy
