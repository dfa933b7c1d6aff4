"""Structured logs: JSON lines to stdout, pretty on a terminal, from structlog and the standard library alike.

No secret and no pod body may get into a log: `redact` is the last line of defence, not a licence.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, Processor

MAX_VALUE: Final = 500
"""Characters of a logged value. A pod is 5,000 and more."""
REPEATS: Final = 5
"""Records of one origin let through in a window."""
WINDOW_SECONDS: Final = 10.0

_SECRET_WORDS: Final = ("token", "password", "secret", "authorization", "private", "credential", "kubeconfig")


def configure_logging(level: str = "info", *, stream: TextIO | None = None, pretty: bool | None = None) -> None:
    """Set up the process's logging; call once, at start.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        stream: where to, default stdout.
        pretty: for people instead of for machines; default: whether the stream is a terminal.

    Raises:
        ValueError: no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r}: give debug, info, warning or error")
    to = stream if stream is not None else sys.stdout
    for_people = to.isatty() if pretty is None else pretty
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(to)
    handler.addFilter(RateLimit())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last(for_people=for_people))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Hide values whose key sounds secret, and cut long ones (a body, a page of a proxy)."""
    for key, value in event.items():
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "[redacted]"
        elif key not in ("exception", "exc_info", "_record") and not isinstance(value, int | float | bool):
            text = value if isinstance(value, str) else repr(value)
            if len(text) > MAX_VALUE:
                event[key] = f"{text[:MAX_VALUE]}... ({len(text)} characters)"
    return event


class RateLimit(logging.Filter):
    """Lets a few warnings and errors of one origin through per window, and counts the rest.

    A traceback per request costs nine tenths of the throughput (measured), and says nothing new.
    The origin is the line of code that logs. The next record let through carries ``suppressed``.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        if record.levelno < logging.WARNING:
            return True
        origin, now = (record.pathname, record.lineno), self._clock()
        since, seen = self._windows.get(origin, (now, 0))
        if now - since >= WINDOW_SECONDS:
            if seen > REPEATS:
                _note(record, seen - REPEATS)
            since, seen = now, 0
        self._windows[origin] = (since, seen + 1)
        return seen < REPEATS


def _note(record: logging.LogRecord, suppressed: int) -> None:
    if isinstance(record.msg, dict):  # from structlog
        record.msg["suppressed"] = suppressed
    else:
        record.msg = f"{record.msg} ({suppressed} like this suppressed)"


def _last(*, for_people: bool) -> list[Processor]:
    """The processors that turn an event into a line."""
    end: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if for_people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, *end]
