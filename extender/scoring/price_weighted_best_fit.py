"""Best fit in money: the default of the greedy fallback."""

from __future__ import annotations

from typing import Final

from extender.scoring.strategy import SCALE, Candidate, asked_share, free_shares

OPENING: Final = 1 << 62
"""Above any price times thousandths: room that is paid for anyway always comes before a node that is not."""
EXPECTED_FILL_PERCENT: Final = 85
"""How full a newly opened node is expected to become; see `_opening`."""


def price_weighted_best_fit(candidate: Candidate) -> int:
    """Minus the micro-dollars an hour that the choice leaves unused, in thousandths; a node in use always beats an empty one.

    A node in use costs what stays free on it, as shares of its price: full and cheap nodes fill up, so that dear and empty ones can go.
    The larger free share of CPU and memory counts three quarters, the smaller one quarter, because what is free of one resource alone
    is stranded; filling either one still always pays.

    Latency, weighed against money by the class, is added as a share of the price: among nodes in use it may decide, but it opens none.
    """
    shares = sorted(free_shares(candidate).values())
    price = candidate.price_micro_usd_per_hour
    if not candidate.occupied:
        return -OPENING - price * (_opening(candidate) + candidate.latency)
    unused = (3 * shares[-1] + shares[0]) // 4 if shares else SCALE
    return -price * (unused + candidate.latency)


def _opening(candidate: Candidate) -> int:
    """The share of an empty node's price that the pod has to answer for, in thousandths.

    Were nobody to follow, it would be all of it (the cheapest node wins); were the node to fill up, only the pod's own share (the
    cheapest capacity wins). In between lies the expectation: on the demo's trace, replayed with other weights, all from 80 to 95
    percent cost within one percent of the least, 0 percent five percent more, 100 percent three.
    """
    return ((100 - EXPECTED_FILL_PERCENT) * SCALE + EXPECTED_FILL_PERCENT * asked_share(candidate)) // 100
