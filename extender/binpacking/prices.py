"""What capacity is worth: the price of a node, and unit prices that make resources comparable.

Unit prices (`stowplan.catalog.unit_prices`) only decide where a node's own price is unknown, and how much a stranded core
weighs against a stranded GiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from stowplan.catalog.unit_prices import CPU_PRICE, GPU_PRICE, MEMORY_PRICE
from stowplan.model.node import Node

_GIB: Final = 2**30
_PLAIN: Final = frozenset({"pods", "ephemeral-storage"})


def worth(resource: str, amount: int) -> int:
    """Micro-dollars an hour of an amount of a resource, rounded down; pod slots and scratch storage are worth nothing."""
    price, unit = _price_of(resource)
    return amount * price // unit


def total_worth(amounts: Mapping[str, int]) -> int:
    """Micro-dollars an hour of several amounts; negative ones count as nothing."""
    total = 0
    for resource, amount in amounts.items():
        if amount > 0:
            price, unit = _price_of(resource)
            total += amount * price // unit
    return total


@lru_cache(maxsize=1024)
def _price_of(resource: str) -> tuple[int, int]:
    """Micro-dollars an hour, and for how much of the resource."""
    if resource == "cpu":
        return CPU_PRICE, 1000
    if resource == "memory" or resource.startswith("hugepages-"):
        return MEMORY_PRICE, _GIB
    return (0 if resource in _PLAIN else GPU_PRICE), 1


def node_price(node: Node) -> int:
    """Micro-dollars an hour of a node: its own price, else (0 means unknown) an estimate from what it offers."""
    return node.price_micro_usd_per_hour or max(1, total_worth(node.allocatable))
