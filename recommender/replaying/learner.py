"""Learns the histories of all containers of a recording, a day at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.remembering.history import History, Window, sketch, window
from recommender.replaying.usage import Usage


class Learner:
    """Histories by container number."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self.histories = [History() for _ in usage.names]

    def window(self, day: int) -> Window:
        """What was learned before a day of the recording."""
        return window(self.histories, self._usage.first_day + day)

    def observe(self, day: int) -> None:
        """Learn one day of the recording."""
        usage = self._usage
        for container, history in enumerate(self.histories):
            cell = usage.cell(container, day)
            if cell.stop > cell.start:
                history.add(usage.first_day + day, sketch(usage.t_s[cell], usage.cpu[cell], usage.memory[cell]))

    def record_oom(self, day: int, limits: NDArray[np.float64], breached: NDArray[np.bool_], bump_percent: int) -> None:
        """Learn the OOM kills of a day at the given limits (bytes), which exceeded them."""
        for container in np.flatnonzero(breached):
            self.histories[container].record_oom(self._usage.first_day + day, float(limits[container]), bump_percent)
