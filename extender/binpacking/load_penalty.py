"""The convex cost of a loaded node: the shape of the delay in a queue, without its pole."""

from __future__ import annotations

from typing import Final

PERMILLE: Final = 1000
STEEP: Final = 2
"""Extra slope of the second piece: from half way between the class's bound and a full node, each permille counts three times."""


def knee(bound: int) -> int:
    """Permille of CPU from which the steep piece counts."""
    return (bound + PERMILLE) // 2


def load_penalty(load: int, bound: int, weight: int) -> int:
    """`weight x (over the bound + 2 x over the knee)`, of a node that is loaded to so many permille of its CPU."""
    return weight * (max(0, load - bound) + STEEP * max(0, load - knee(bound)))
