"""Best fit in money: the default of the greedy fallback."""

from __future__ import annotations

from extender.scoring.strategy import SCALE, Candidate, free_shares


def price_weighted_best_fit(candidate: Candidate) -> int:
    """Minus the micro-dollars an hour that stay unused on the node once the pod is there.

    Three terms, all in thousandths of the node's price: its whole price where the pod would open it; the mean free share
    of CPU and memory (best fit: full nodes fill up, so that others can empty and go); and the difference of the two
    shares, because what is free of one resource alone is stranded.
    """
    shares = list(free_shares(candidate).values())
    if not shares:
        return -candidate.price_micro_usd_per_hour * SCALE
    opened = 0 if candidate.occupied else SCALE
    left = sum(shares) // len(shares)
    stranded = max(shares) - min(shares)
    return -candidate.price_micro_usd_per_hour * (opened + left + stranded)
