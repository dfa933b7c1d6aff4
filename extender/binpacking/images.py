"""What is missing of an item's images on a bin: bytes to download before the first container starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from stowplan.model.node import Node

BYTES_PER_POINT: Final = 1_000_000
"""One point (a permille, as of load) is 10 ms of waiting: a megabyte at 100 MB/s from the registry."""
MOST_POINTS: Final = 1000
"""A gigabyte missing weighs as much as a node that is a whole node over its bound; more does not weigh more."""

Images = tuple[tuple[str, int], ...]


def known_sizes(nodes: Iterable[Node], wanted: frozenset[str]) -> dict[str, int]:
    """Bytes of the wanted images that some node has. One that none has is missing everywhere, and so decides nothing."""
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    for node in nodes:
        if wanted and id(node.images) not in seen:
            seen.add(id(node.images))
            for name, size in node.images:
                if name in wanted:
                    sizes[name] = max(size, sizes.get(name, 0))
    return sizes


def missing_points(images: Sequence[str], present: Images, sizes: Mapping[str, int]) -> int:
    """The wait for the images that are not among those present, in points."""
    wanted = {name: sizes[name] for name in images if name in sizes}
    if not wanted:
        return 0
    for name, _ in present:
        wanted.pop(name, None)
    return min(MOST_POINTS, sum(wanted.values()) // BYTES_PER_POINT)
