"""Scoring strategies of the greedy fallback: one pure function a file, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extender.scoring.cheapest import cheapest
from extender.scoring.expected_cost import expected_cost as _expected_cost
from extender.scoring.least_allocated import least_allocated
from extender.scoring.most_allocated import most_allocated
from extender.scoring.price_weighted_best_fit import price_weighted_best_fit
from extender.scoring.strategy import Candidate, Strategy

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "Candidate", "Strategy", "strategy_named"]

DEFAULT_STRATEGY: Final = "expected-cost"
STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        DEFAULT_STRATEGY: _expected_cost,
        "price-weighted-best-fit": price_weighted_best_fit,
        "most-allocated": most_allocated,
        "least-allocated": least_allocated,
        "cheapest": cheapest,
    }
)


def strategy_named(name: str) -> Strategy:
    """The strategy of this name. Raises ValueError where there is none: a start-up error, never one of a request."""
    if name not in STRATEGIES:
        raise ValueError(f"scoring strategy {name!r}: there is no such strategy; choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]
