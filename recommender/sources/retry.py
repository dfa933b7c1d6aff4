"""When a source that failed is asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_S: Final = 5.0
LONGEST_S: Final = 300.0


class Backoff:
    """Waits 5 s after a failure, twice as long after each further one, five minutes at most; a success ends it.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._until = float("-inf")

    @property
    def waiting(self) -> bool:
        """Whether it is too early to ask again."""
        return self._clock() < self._until

    @property
    def remaining_s(self) -> float:
        """How long to wait before asking again; 0 where there is no reason to wait."""
        return max(0.0, self._until - self._clock())

    def failed(self, retry_after_s: float | None = None) -> None:
        """Note a failure; a server that names its own delay gets at least that, up to the longest."""
        own = FIRST_S * 2 ** min(self._failures, 10)
        self._failures += 1
        self._until = self._clock() + min(LONGEST_S, max(own, retry_after_s or 0.0))

    def succeeded(self) -> None:
        """Note a success."""
        self._failures = 0
        self._until = float("-inf")
