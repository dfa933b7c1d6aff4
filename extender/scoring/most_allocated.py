"""kube-scheduler's MostAllocated, as a baseline."""

from __future__ import annotations

from extender.scoring.strategy import SCALE, Candidate, free_shares


def most_allocated(candidate: Candidate) -> int:
    """The mean share in use of CPU and memory once the pod is there, in thousandths.

    Source: `noderesources/most_allocated.go`, with weight 1 for both.
    """
    shares = list(free_shares(candidate).values())
    return SCALE - sum(shares) // len(shares) if shares else 0
