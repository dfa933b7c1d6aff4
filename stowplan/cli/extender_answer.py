"""Asking the running extender a question, for the commands that do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import aiohttp

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)
_FOUND: Final = 200
_NOT_KNOWN: Final = 404


class Unanswered(Exception):  # noqa: N818 - a state of the other side
    """The extender gave no answer: its message and the exit code that follows."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def ask(url: str, query: Mapping[str, str] | None = None) -> Any:
    """The answer, read from JSON.

    Raises:
        Unanswered: there is none.
    """
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url, params=query or {}) as response:
            body = await response.json(content_type=None)
            if response.status == _FOUND:
                return body
            if response.status == _NOT_KNOWN and isinstance(body, dict) and "error" in body:
                raise Unanswered(str(body["error"]), 1)
            raise Unanswered(f"{url} answered {response.status}; is that the extender's port?", 2)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unanswered(
            f"extender {url}: {str(error) or type(error).__name__}; forward its port or set --extender", 2
        ) from error
