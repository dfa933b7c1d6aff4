"""The largest nodes: a request that fits on none of them can never be scheduled."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

NodeShape = tuple[int, int]
"""Allocatable CPU in millicores and memory in bytes."""

_MEMORY_STEP = 64 * 2**20
"""Nodes of one type differ by some KiB; rounded down to this, they are one shape."""


def shape_of(cpu: int, memory: int) -> NodeShape:
    """The shape that a node counts as."""
    return cpu, memory // _MEMORY_STEP * _MEMORY_STEP


def largest(shapes: Iterable[NodeShape]) -> tuple[NodeShape, ...]:
    """The shapes that no other is at least as large as in both (the Pareto frontier), by falling CPU."""
    frontier: list[NodeShape] = []
    for cpu, memory in sorted(set(shapes), reverse=True):
        if cpu > 0 and memory > (frontier[-1][1] if frontier else 0):
            frontier.append((cpu, memory))
    return tuple(frontier)


def bound_for(cpu: int, memory: int, shapes: tuple[NodeShape, ...]) -> NodeShape | None:
    """The shape to cut a pod down to: the one it exceeds least, in relation; None where it fits or no node is known."""
    if not shapes or any(cpu <= node[0] and memory <= node[1] for node in shapes):
        return None
    return min(shapes, key=lambda node: max(Fraction(cpu, node[0]), Fraction(memory, node[1])))
