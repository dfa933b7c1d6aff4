"""Loads of nodes as a distribution: how much headroom there is, and what the lack of it weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from extender.binpacking.load_penalty import load_penalty

BOUND: Final = 650
"""Permille of CPU above which load costs latency: that of the class `standard`."""


class Loads:
    """Loads in permille of a node's CPU, as often as they were seen."""

    def __init__(self) -> None:
        self._seen: Counter[int] = Counter()

    def add(self, loads: Iterable[int]) -> None:
        """Nodes in use at one moment."""
        self._seen.update(loads)

    def percentile(self, percent: int) -> int:
        """The load that so many percent of the nodes do not exceed (nearest rank); 0 of none."""
        rank = -(-self._seen.total() * percent // 100)
        for load, count in sorted(self._seen.items()):
            rank -= count
            if rank <= 0:
                return load
        return 0

    def summary(self) -> dict[str, Any]:
        """Percentiles, headroom at the 99th, share of nodes above the bound, and the mean penalty of a node (points at weight 1)."""
        nodes = max(1, self._seen.total())
        over = sum(count for load, count in self._seen.items() if load > BOUND)
        penalty = sum(count * load_penalty(load, BOUND, 1) for load, count in self._seen.items())
        p50, p99 = self.percentile(50), self.percentile(99)
        return {
            "load_p50_permille": p50,
            "load_p99_permille": p99,
            "over_bound_p50_permille": max(0, p50 - BOUND),
            "over_bound_p99_permille": max(0, p99 - BOUND),
            "headroom_p99_permille": max(0, 1000 - p99),
            "nodes_over_bound_permille": over * 1000 // nodes,
            "penalty_mean": round(penalty / nodes, 1),
        }
