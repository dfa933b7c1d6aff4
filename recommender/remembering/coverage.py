"""Which seconds of a container's life have been measured already, so that none is learned twice."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

FRAGMENTS: Final = 128
"""Separate spans remembered. Measurements that follow each other are one span, so only holes and disorder need more; 1 KiB at most."""
_KEPT: Final = 96
"""Spans left once there were too many: closing a few at a time makes it cheap."""


class Coverage:
    """A set of seconds, kept as disjoint spans [start, end).

    Beyond `FRAGMENTS` spans the smallest holes are closed: the time in them counts as measured, so that a late measurement of it is
    refused. Nothing is ever handed out twice.
    """

    __slots__ = ("_bounds",)

    def __init__(self) -> None:
        self._bounds = array("I")
        """start, end, start, end...; ascending. 32 bits hold Unix seconds until the year 2106."""

    def __bool__(self) -> bool:
        return bool(self._bounds)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The covered spans, ascending."""
        return list(zip(self._bounds[::2], self._bounds[1::2], strict=True))

    def claim(self, start: int, end: int) -> list[tuple[int, int]]:
        """Cover [start, end) with 0 <= start < end; returns the parts of it that were not covered before, ascending."""
        bounds = self._bounds
        if bounds and start == bounds[-1]:  # the usual case: the next measurement
            bounds[-1] = end
            return [(start, end)]
        first, last = bisect_left(bounds, start), bisect_right(bounds, end)
        # An even position is in a hole, an odd one inside a span.
        left = [start] if first % 2 == 0 else []
        right = [end] if last % 2 == 0 else []
        edges = [*left, *bounds[first:last], *right]
        bounds[first:last] = array("I", [*left, *right])
        if len(bounds) > 2 * FRAGMENTS:
            self._close_small_holes()
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    def forget_before(self, t_s: int) -> None:
        """Forget everything before a time."""
        at = bisect_right(self._bounds, t_s)
        self._bounds[:at] = array("I", [t_s] if at % 2 else [])

    def _close_small_holes(self) -> None:
        """Close as many of the smallest holes (the older of equal ones) as there are spans too many."""
        bounds = self._bounds
        holes = sorted(range(1, len(bounds) - 1, 2), key=lambda at: bounds[at + 1] - bounds[at])
        closed = set(holes[: len(bounds) // 2 - _KEPT])
        kept = [bound for at, bound in enumerate(bounds) if at not in closed and at - 1 not in closed]
        self._bounds = array("I", kept)
