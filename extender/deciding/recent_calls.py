"""Which pods were answered for a moment ago."""

from __future__ import annotations

from collections.abc import Callable


class RecentCalls:
    """Remembers pod UIDs for a while. Bounded by `limit`, beyond which the oldest are forgotten.

    Args:
        clock: monotonic seconds.
        window: seconds to remember.
        limit: most UIDs remembered.
    """

    def __init__(self, clock: Callable[[], float], window: float, limit: int = 50_000) -> None:
        self._clock = clock
        self._window = window
        self._limit = limit
        self._until: dict[str, float] = {}  # in the order of expiry

    def __contains__(self, uid: str) -> bool:
        until = self._until.get(uid)
        return until is not None and until > self._clock()

    def note(self, uid: str) -> None:
        """The pod was answered for now."""
        now = self._clock()
        self._until.pop(uid, None)
        self._until[uid] = now + self._window
        while self._until and (len(self._until) > self._limit or next(iter(self._until.values())) <= now):
            self._until.pop(next(iter(self._until)))
