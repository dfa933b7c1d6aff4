"""A running direct server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from stowplan.serving.direct import Answer, Call, DirectServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@asynccontextmanager
async def serving_directly(answer: Callable[[Call], Answer], max_body_bytes: int) -> AsyncIterator[int]:
    """The port on which calls are answered."""
    server = DirectServer(answer, lambda: False, max_body_bytes=max_body_bytes, idle_seconds=60)
    port = await server.open("127.0.0.1", 0, 16, None)
    try:
        yield port
    finally:
        await server.close(grace_seconds=1)
