"""Runs kubectl, and again where it says that its request never left: a machine that stalls ends handshakes and downloads of schemas."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_NEVER_LEFT: Final = ("TLS handshake timeout", "failed to download openapi")
"""Both come before the request proper, so that running it again can do nothing twice."""
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 1.0


def run_kubectl(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> subprocess.CompletedProcess[str]:
    """The first run that succeeds or fails for a reason of its own; the last one after some tries.

    Args:
        argv: program and arguments.
        stdin: text for its standard input.
        environment: the whole environment; the caller's without one.
        sleep: between two tries.
    """
    for last in (*[False] * (_TRIES - 1), True):
        result = subprocess.run(
            list(map(str, argv)), env=environment, input=stdin, capture_output=True, text=True, check=False
        )
        if last or result.returncode == 0 or not any(words in result.stderr for words in _NEVER_LEFT):
            break
        sleep(_PAUSE_SECONDS)
    return result
