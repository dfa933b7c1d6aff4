"""Health probes: waits until a component answers, and fails at once when its process ends."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus

from sandbox.errors import ComponentFailedError
from sandbox.processes import Process

_INTERVAL_SECONDS = 0.05
_ANSWER_SECONDS = 2.0


def healthy(url: str, context: ssl.SSLContext) -> bool:
    """Whether a GET of the URL answers 200 soon."""
    try:
        # Proxies of the environment are for the world outside, never for loopback.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(url, timeout=_ANSWER_SECONDS) as response:
            return bool(response.status == HTTPStatus.OK)
    except OSError:  # refused, reset, timed out, not OK (HTTPError): not yet
        return False


def wait_until(
    what: str,
    condition: Callable[[], bool],
    *,
    process: Process | None = None,
    timeout_seconds: float = 180.0,
    interval_seconds: float = _INTERVAL_SECONDS,
) -> None:
    """Wait until the condition holds.

    Raises:
        ComponentFailedError: the process ended, or time is up; the message carries the end of its log.
    """
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if process is not None:
            process.check()
        if time.monotonic() > deadline:
            log = f"; log {process.log}:\n{process.log_tail()}" if process else ""
            raise ComponentFailedError(f"{what}: not within {timeout_seconds:g} s{log}")
        time.sleep(interval_seconds)
