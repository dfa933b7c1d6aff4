"""The cheapest node first, whatever it holds."""

from __future__ import annotations

from extender.scoring.strategy import Candidate


def cheapest(candidate: Candidate) -> int:
    """Minus the node's price in micro-dollars an hour."""
    return -candidate.price_micro_usd_per_hour
