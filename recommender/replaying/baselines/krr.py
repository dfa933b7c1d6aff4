"""KRR's strategy `simple`: CPU request = 95th percentile of 14 days, memory = their peak + 15 %; at least 10 millicores and 100 MiB.

Source: robusta-dev/krr, robusta_krr/strategies/simple.py and its settings (history 336 h, at least 100 points).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.replaying.strategy import Requests, whole
from recommender.replaying.usage import Usage

HISTORY_DAYS: Final = 14
CPU_PERCENTILE: Final = 95.0
MEMORY_BUFFER: Final = 1.15
CPU_MIN: Final = 10.0
MEMORY_MIN: Final = 100.0 * 2**20
POINTS_REQUIRED: Final = 100


class KrrSimple:
    """Requests of every container at the start of each day; memory limit = request."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    def recommend(self, day: int) -> Requests:
        """Requests from the window before the day; NaN for containers with fewer than 100 points in it."""
        usage = self._usage
        count = len(usage.names)
        cpu, memory = np.full(count, np.nan), np.full(count, np.nan)
        for container in range(count):
            window = slice(
                usage.cell(container, max(0, day - HISTORY_DAYS)).start,
                usage.bounds[container * usage.days + day],
            )
            if window.stop - window.start >= POINTS_REQUIRED:
                cpu[container] = np.percentile(usage.cpu[window], CPU_PERCENTILE)
                known = usage.memory[window][np.isfinite(usage.memory[window])]
                memory[container] = known.max() * MEMORY_BUFFER if len(known) else np.nan
        cpu, memory = whole(np.maximum(cpu, CPU_MIN)), whole(np.maximum(memory, MEMORY_MIN))
        return Requests(cpu, memory, memory)

    def observe(self, day: int, requests: Requests, breached: NDArray[np.bool_]) -> None:
        """Nothing is kept: the window is read again each day."""
