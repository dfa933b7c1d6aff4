"""Heaps that do not fit in the memory that a container ends up with: the user should hear of it before the kernel does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stowplan.model.quantity import format_bytes
from webhook.intent import Intent
from webhook.sizing import Sizing, heap_of


def heap_warnings(sizings: Sequence[Sizing], intent: Intent) -> Iterator[str]:
    """One warning for each container whose memory limit is below its fixed heap."""
    for sizing in sizings:
        heap, limit = heap_of(sizing.container, intent), sizing.limit("memory")
        if heap is not None and limit is not None and 0 < limit < heap.bytes:
            yield (
                f"{sizing.container.name}: a {heap.runtime} heap of {format_bytes(heap.bytes)} ({heap.flag}) does not fit in its"
                f" memory limit of {format_bytes(limit)}"
            )
