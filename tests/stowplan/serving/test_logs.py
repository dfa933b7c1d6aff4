"""Log lines as machines read them."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from stowplan.serving.logs import REPEATS, WINDOW_SECONDS, RateLimit, configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines go; the process's logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_kinds_of_loggers_write_the_same_json(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    structlog.get_logger("ours").info("applied", namespace="shop", milliseconds=0.3)
    logging.getLogger("theirs").warning("watch failed: %s", "reset")
    logging.getLogger("theirs").debug("too detailed")

    first, second = lines(stream)

    assert (first["event"], first["namespace"], first["level"], first["logger"]) == ("applied", "shop", "info", "ours")
    assert first["milliseconds"] == 0.3
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"]) == ("watch failed: reset", "warning")


def test_secrets_are_hidden_and_bodies_cut(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    structlog.get_logger().info("x", authorization="Bearer hunter2", pod={"spec": "y" * 5000})

    (line,) = lines(stream)

    assert "hunter2" not in stream.getvalue()
    assert line["authorization"] == "[redacted]"
    assert len(line["pod"]) < 600


def test_tracebacks_are_one_json_line(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    try:
        int("inner")
    except ValueError:
        logging.getLogger("x").exception("outer")

    (line,) = lines(stream)

    assert "ValueError: invalid literal" in line["exception"]


def test_pretty_on_request(stream: io.StringIO) -> None:
    configure_logging(stream=stream, pretty=True)
    structlog.get_logger().info("hello", namespace="shop")
    assert "hello" in stream.getvalue()
    with pytest.raises(json.JSONDecodeError):
        lines(stream)


def test_an_unknown_level_is_refused(stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="'loud'"):
        configure_logging("loud", stream=stream)


def record(line: int, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("x", level, "file.py", line, "boom", None, None)


def test_repeated_errors_are_counted_instead_of_written() -> None:
    now = [100.0]
    limit = RateLimit(lambda: now[0])
    passed = sum(limit.filter(record(1)) for _ in range(50))
    assert passed == REPEATS
    assert limit.filter(record(2))  # another origin has a budget of its own
    assert all(limit.filter(record(1, logging.INFO)) for _ in range(50))

    now[0] += WINDOW_SECONDS
    after = record(1)

    assert limit.filter(after)
    assert "45 like this suppressed" in after.getMessage()  # 50 came, 5 passed


def test_the_count_is_a_field_of_structured_records(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    now = [0.0]
    limit = RateLimit(lambda: now[0])
    logging.getLogger().handlers[0].filters[:] = [limit]
    logger = structlog.get_logger()
    for seconds in [0.0] * 7 + [WINDOW_SECONDS]:
        now[0] = seconds
        logger.error("boom")

    got = lines(stream)

    assert len(got) == REPEATS + 1
    assert got[-1]["suppressed"] == 2
