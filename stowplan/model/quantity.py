"""Kubernetes quantities, parsed exactly and only at the edge.

Inside stowplan CPU is an integer number of millicores and every other resource an integer number of its base unit (bytes, devices).
The grammar and the rounding (always up, so that nothing is ever asked for less than was written) follow
`k8s.io/apimachinery/pkg/api/resource`.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

MAX_AMOUNT: Final = 2**63 - 1
"""Kubernetes caps what it cannot represent at the largest int64."""

_MAX_TEXT = 200  # far above any sane quantity; bounds the work an attacker can ask for
_MAX_REMEMBERED = 32  # longer texts are parsed afresh, so that nobody can fill the memory with them
_MAX_EXPONENT = 400  # beyond this a value is capped or rounds up to one unit whatever its digits (see _MAX_TEXT)
_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:[eE](?P<exponent>[+-]?[0-9]+)|(?P<suffix>[KMGTPE]i|[numkMGTPE]))?",
    re.ASCII,
)
_SCALE: Final[dict[str, Fraction]] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    **{unit: Fraction(1000 ** (power + 1)) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Fraction(1024 ** (power + 1)) for power, unit in enumerate("KMGTPE")},
}
_BINARY_UNITS: Final = tuple((f"{unit}i", 1024**power) for power, unit in reversed(list(enumerate("KMGTPE", start=1))))


class QuantityError(ValueError):
    """A text that is not a Kubernetes quantity, or a negative one where an amount is needed."""


def parse_quantity(value: str | float) -> Fraction:
    """The exact value of a quantity in any legal notation: `250m`, `1.5Gi`, `.5`, `2e3`, `1E`, or a plain JSON number.

    Raises:
        QuantityError: the text is no quantity.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise QuantityError(f"quantity {value!r} is not text or a number; write for example 250m, 1.5 or 2Gi")
    text = str(value)
    match = _GRAMMAR.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise QuantityError(f"quantity {text[:40]!r} is not a Kubernetes quantity; write for example 250m, 1.5 or 2Gi")
    number = Fraction(match["number"])
    if match["exponent"] is not None:
        exponent = max(-_MAX_EXPONENT, min(_MAX_EXPONENT, int(match["exponent"])))
        return number * Fraction(10) ** exponent
    return number * _SCALE[match["suffix"] or ""]


def parse_amount(resource: str, value: str | float) -> int:
    """A request or limit of `resource` in its integer unit: millicores for `cpu`, base units for all others. Rounds up.

    Each short notation is parsed once and remembered: a cluster writes the same few quantities over and over, and exact parsing
    costs some ten microseconds.

    Raises:
        QuantityError: no quantity, or a negative one.
    """
    if isinstance(value, str) and len(value) <= _MAX_REMEMBERED:
        return _remembered_amount(resource, value)
    return _exact_amount(resource, value)


def _exact_amount(resource: str, value: str | float) -> int:
    exact = parse_quantity(value)
    if exact < 0:
        raise QuantityError(f"{resource}: quantity {value!r} is negative; write zero or more")
    return min(MAX_AMOUNT, math.ceil(exact * 1000 if resource == "cpu" else exact))


_remembered_amount = lru_cache(maxsize=8192)(_exact_amount)


def parse_cpu(value: str | float) -> int:
    """CPU in millicores, rounded up. Raises QuantityError as `parse_amount`."""
    return parse_amount("cpu", value)


def parse_bytes(value: str | float) -> int:
    """Memory or storage in bytes, rounded up. Raises QuantityError as `parse_amount`."""
    return parse_amount("memory", value)


def format_cpu(millicores: int) -> str:
    """Millicores in the canonical form of the API server: `250m`, `2`."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def format_bytes(amount: int) -> str:
    """Bytes in the largest binary unit that is exact: `2Gi`, `1536Mi`, `1000`."""
    for unit, size in _BINARY_UNITS:
        if amount and amount % size == 0:
            return f"{amount // size}{unit}"
    return str(amount)


def format_amount(resource: str, amount: int) -> str:
    """The amount of a resource as a person and the API server write it."""
    if resource == "cpu":
        return format_cpu(amount)
    if resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages-"):
        return format_bytes(amount)
    return str(amount)
