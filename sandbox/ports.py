"""Free loopback ports that stay ours until they are released.

Asking the kernel for port 0 and closing the socket leaves a gap in which any outgoing connection or another
sandbox can take the port. So ports come from below the kernel's ephemeral range, and each is held by a file
lock for as long as the sandbox lives: several sandboxes never choose the same one, and a restarted component
gets its port back.
"""

import os
import random
import socket
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Self

from sandbox.errors import SandboxError
from sandbox.locks import try_lock

FIRST, LAST = 20_000, 29_999
"""Below the usual ephemeral range (from 32768) and below node ports (from 30000)."""


class PortReservation:
    """Ports of one sandbox; a context manager that releases them all.

    Args:
        directory: of the lock files; every sandbox of a machine's user has to use the same.
        candidates: the ports to try in this order, by default all from `FIRST` to `LAST` in random order.
    """

    def __init__(self, directory: Path | None = None, candidates: Sequence[int] | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir()) / f"stowplan-ports-{os.getuid()}"
        # Random, so that a port which was just given up is not the first to be used again.
        self._candidates = candidates or random.sample(range(FIRST, LAST + 1), LAST - FIRST + 1)
        self._held: dict[int, IO[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def held(self) -> Iterable[int]:
        """The reserved ports."""
        return tuple(self._held)

    def reserve(self) -> int:
        """A free port of 127.0.0.1, ours until `release`.

        Raises:
            SandboxError: none is free.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for port in self._candidates:
            lock = (self._directory / f"{port}.lock").open("w", encoding="ascii")
            if port not in self._held and try_lock(lock) and _is_free(port):
                self._held[port] = lock
                return port
            lock.close()
        raise SandboxError("no free port from 20000 to 29999 on 127.0.0.1; stop some sandboxes or servers")

    def release(self) -> None:
        """Give all ports back. The lock files stay: removing a locked file would let two lock the same name."""
        for lock in self._held.values():
            lock.close()
        self._held.clear()


def _is_free(port: int) -> bool:
    """Whether a server could listen there now. REUSEADDR as Go sets it: old connections do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
