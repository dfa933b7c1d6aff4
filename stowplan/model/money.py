"""Money: micro-dollars (integers) inside, dollars where they are shown."""

from __future__ import annotations

from typing import Final

MICRO_USD: Final = 1_000_000
"""Micro-dollars in a dollar."""


def dollars(micro_usd: float) -> float:
    """Micro-dollars as dollars, for output only."""
    return micro_usd / MICRO_USD
