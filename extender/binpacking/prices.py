"""What capacity is worth: the price of a node, and unit prices that make resources comparable.

Unit prices are OpenCost's defaults (`configs/default.json`): CPU 0.031611 $/core-h, memory 0.004237 $/GiB-h, GPU 0.95 $/h. They only
decide where a node's own price is unknown, and how much a stranded core weighs against a stranded GiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stowplan.model.node import Node

_GIB: Final = 2**30
_CPU_MICRO_USD_PER_CORE: Final = 31_611
_MEMORY_MICRO_USD_PER_GIB: Final = 4_237
_DEVICE_MICRO_USD: Final = 950_000
_PLAIN: Final = frozenset({"pods", "ephemeral-storage"})


def worth(resource: str, amount: int) -> int:
    """Micro-dollars an hour of an amount of a resource, rounded down; pod slots and scratch storage are worth nothing."""
    if resource == "cpu":
        return amount * _CPU_MICRO_USD_PER_CORE // 1000
    if resource == "memory" or resource.startswith("hugepages-"):
        return amount * _MEMORY_MICRO_USD_PER_GIB // _GIB
    return 0 if resource in _PLAIN else amount * _DEVICE_MICRO_USD


def total_worth(amounts: Mapping[str, int]) -> int:
    """Micro-dollars an hour of several amounts; negative ones count as nothing."""
    return sum(worth(resource, amount) for resource, amount in amounts.items() if amount > 0)


def node_price(node: Node) -> int:
    """Micro-dollars an hour of a node: its own price, else (0 means unknown) an estimate from what it offers."""
    return node.price_micro_usd_per_hour or max(1, total_worth(node.allocatable))
