"""Best fit in money: the default of the greedy fallback."""

from __future__ import annotations

from extender.scoring.strategy import SCALE, Candidate, free_shares


def price_weighted_best_fit(candidate: Candidate) -> int:
    """Minus the micro-dollars an hour that stay unused on the node once the pod is there, in thousandths.

    Two terms, as shares of the node's price: its whole price where the pod would open it; and the free share of CPU and
    memory (best fit: full nodes fill up, so that others can empty and go). The larger of the two shares counts three
    quarters, the smaller one quarter, because what is free of one resource alone is stranded; filling either one still
    always pays.
    """
    shares = sorted(free_shares(candidate).values())
    if not shares:
        return -candidate.price_micro_usd_per_hour * SCALE
    opened = 0 if candidate.occupied else SCALE
    return -candidate.price_micro_usd_per_hour * (opened + (3 * shares[-1] + shares[0]) // 4)
