"""How many moves in all: one for every ten pods that came, so that however often nodes are emptied, little of what runs is disturbed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

PODS_PER_MOVE: Final = 10


class Allowance:
    """Counts pods that came and moves that were made."""

    def __init__(self) -> None:
        self._came = self._moved = 0

    @property
    def left(self) -> int:
        """Moves that may be made now."""
        return max(0, self._came // PODS_PER_MOVE - self._moved)

    def came(self, pods: int) -> None:
        """So many pods got a node, not counting those that were moved."""
        self._came += pods

    def moved(self, pods: int) -> None:
        """So many were moved."""
        self._moved += pods


class WatchedAllowance(Allowance):
    """The same where one only sees which pods stand, now and then. Pods that stand at the first look have come."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: frozenset[str] = frozenset()
        self._returning = 0

    def look(self, standing: Collection[str]) -> None:
        """Exactly these pods (UIDs) stand now. Of the new ones as many as were evicted have replaced those, and have not come."""
        new = len(frozenset(standing) - self._seen)
        self._seen = frozenset(standing)
        replacements = min(new, self._returning)
        self._returning -= replacements
        self.came(new - replacements)

    def moved(self, pods: int) -> None:
        """So many were evicted; their owners create them anew."""
        super().moved(pods)
        self._returning += pods
