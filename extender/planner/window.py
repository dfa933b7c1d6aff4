"""When to plan: after a change, once it has been quiet for a moment, and at the latest after a bounded wait (Karpenter's batcher)."""

from __future__ import annotations


class BatchWindow:
    """Collects changes. Times are seconds of any steady clock, passed in.

    Args:
        idle_s: quiet time that closes a window.
        max_s: longest time from the first change to the plan.
    """

    def __init__(self, idle_s: float, max_s: float) -> None:
        self._idle_s = idle_s
        self._max_s = max_s
        self._first: float | None = None
        self._last = 0.0

    def touch(self, now: float) -> None:
        """Something has changed."""
        if self._first is None:
            self._first = now
        self._last = now

    def wait(self, now: float) -> float | None:
        """Seconds until the window closes, zero if it is over, None where nothing has changed."""
        if self._first is None:
            return None
        return max(0.0, min(self._last + self._idle_s, self._first + self._max_s) - now)

    def close(self) -> None:
        """The changes so far are planned."""
        self._first = None
