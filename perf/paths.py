"""Values in a part's data by path: keys and indices, `*` for every element of a list or every value of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Step = str | int
EACH: Final = "*"


def values(data: Any, path: Sequence[Step]) -> list[float]:
    """All numbers that the path leads to; what is not there, or is no number, is left out."""
    return [float(found) for found in _found(data, path) if isinstance(found, (int, float))]


def _found(data: Any, path: Sequence[Step]) -> Iterator[Any]:
    if not path:
        yield data
        return
    step, rest = path[0], path[1:]
    if step == EACH:
        for child in data.values() if isinstance(data, Mapping) else data if isinstance(data, list) else ():
            yield from _found(child, rest)
    elif isinstance(data, Mapping):
        if step in data:
            yield from _found(data[step], rest)
    elif isinstance(data, list) and isinstance(step, int) and -len(data) <= step < len(data):
        yield from _found(data[step], rest)
