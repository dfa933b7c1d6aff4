"""kube-scheduler's LeastAllocated, as a baseline."""

from __future__ import annotations

from extender.scoring.strategy import Candidate, free_shares


def least_allocated(candidate: Candidate) -> int:
    """The mean free share of CPU and memory once the pod is there, in thousandths.

    Source: `noderesources/least_allocated.go`, with weight 1 for both.
    """
    shares = list(free_shares(candidate).values())
    return sum(shares) // len(shares) if shares else 0
