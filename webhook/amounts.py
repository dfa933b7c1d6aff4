"""Amounts of containers, parsed once per notation: a review reads the same few quantities dozens of times.

Exact parsing costs some ten microseconds, which would be most of a decision's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from stowplan.model.quantity import parse_amount

_MAX_TEXT: Final = 32
"""Longer texts are parsed afresh, so that nobody can fill the memory with them."""


def amount_of(resource: str, value: Any) -> int:
    """As `parse_amount`. Raises QuantityError."""
    if isinstance(value, str) and len(value) <= _MAX_TEXT:
        return _cached(resource, value)
    return parse_amount(resource, value)


_cached: Final = lru_cache(maxsize=4096)(parse_amount)


def container_amounts(container: Mapping[str, Any], kind: str = "requests") -> dict[str, int]:
    """Requests or limits of a container or of a pod's own resources; a missing request takes the limit. Raises QuantityError."""
    resources = container.get("resources") or {}
    limits = {name: amount_of(name, value) for name, value in (resources.get("limits") or {}).items()}
    if kind == "limits":
        return limits
    return limits | {name: amount_of(name, value) for name, value in (resources.get("requests") or {}).items()}
