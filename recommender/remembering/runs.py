"""Short jobs and CronJobs: their history is counted in runs, not in days, because idle time says nothing about the next run."""

from __future__ import annotations

from typing import Final

from recommender.amounts import Floats, Ints
from recommender.remembering.history import History, sketch

RUNS: Final = 20
"""Runs that a recommendation looks back on."""
SHORT_S: Final = 6 * 3600
"""Workloads whose pods end by themselves within this time are learned by runs."""


class RunHistory:
    """The runs of one container of a job, numbered in the order in which they ended."""

    def __init__(self) -> None:
        self.history = History()
        self.count = 0

    def add(self, t_s: Ints, cpu: Floats, memory: Floats) -> None:
        """A finished run: all its samples in the order of time. A run without a sample is not counted."""
        if len(t_s):
            self.history.add(self.count, sketch(t_s, cpu, memory))
            self.count += 1
            self._forget()

    @property
    def next_run(self) -> int:
        """The number to give as `today` when a window is taken."""
        return self.count

    def _forget(self) -> None:
        """Drop runs older than RUNS, however young in days."""
        old = (self.history.days >= 0) & (self.history.days < self.count - RUNS)
        self.history.days[old] = -1
