"""The server's TLS context, reloaded when the mounted certificate changes, under open connections.

A failed ``load_cert_chain`` leaves a live context broken for every later handshake (measured), which a Secret
read while half written would cause. So a new pair is loaded into a scratch context, and that context is handed
to handshakes by the SNI callback of the base context. The base context itself is never loaded again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from stowplan.serving.certificates import KeyPair, expires_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import NoReturn

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0
"""Mounted Secrets send no file-system events that could be relied on; two small reads are cheap."""


def server_context(pair: KeyPair) -> ssl.SSLContext:
    """A server context for the pair: TLS 1.3 only, ALPN ``http/1.1`` (all the API server speaks to webhooks).

    Raises:
        ssl.SSLError: certificate and key do not belong together, or are no PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    with _as_file(pair.certificate) as certificate, _as_file(pair.key) as key:
        context.load_cert_chain(certificate, key)
    return context


class ReloadingContext:
    """Serves the pair in two files, always the newest one that loads.

    Args:
        certificate: PEM file with the leaf first.
        key: PEM file.
        registry: for ``stowplan_tls_reloads_total{result}`` and the expiry of the served leaf.
        poll_seconds: time between looks at the files.
        sleep: waits the given seconds.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError, ValueError: the first pair does not load; there is nothing to fall back to.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        *,
        registry: CollectorRegistry | None = None,
        poll_seconds: float = POLL_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        to = registry if registry is not None else CollectorRegistry()
        self._reloads = Counter(
            "stowplan_tls_reloads", "Changed certificate files, by what came of them.", ["result"], registry=to
        )
        self._expiry = Gauge(
            "stowplan_tls_certificate_expiry_timestamp_seconds", "End of the served leaf.", registry=to
        )
        self._certificate = certificate
        self._key = key
        self._poll_seconds = poll_seconds
        self._sleep = sleep
        self._seen = self._read()
        self._current = server_context(self._seen)
        self._expires_at = expires_at(self._seen.certificate)
        self._expiry.set(self._expires_at.timestamp())
        self.context = server_context(self._seen)
        self.context.sni_callback = self._choose

    @property
    def expires_at(self) -> datetime:
        """End of the served leaf's validity, in UTC."""
        return self._expires_at

    def check(self) -> bool:
        """Look at the files once; true when a new pair is served from now on."""
        try:
            pair = self._read()
        except OSError as error:
            log.warning("certificate files cannot be read, the old pair stays: %s", error)
            self._reloads.labels("unreadable").inc()
            return False
        if pair == self._seen:
            return False
        self._seen = pair
        try:
            context, end = server_context(pair), expires_at(pair.certificate)
        except (ssl.SSLError, ValueError) as error:
            log.warning("certificate files do not load (yet), the old pair stays: %s", error)
            self._reloads.labels("invalid").inc()
            return False
        self._current, self._expires_at = context, end
        self._expiry.set(end.timestamp())
        self._reloads.labels("loaded").inc()
        log.info("serving a new certificate, valid until %s", end.isoformat())
        return True

    async def run(self) -> NoReturn:
        """Look at the files for ever."""
        while True:
            await self._sleep(self._poll_seconds)
            self.check()

    def _read(self) -> KeyPair:
        return KeyPair(self._certificate.read_bytes(), self._key.read_bytes())

    def _choose(self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _base: ssl.SSLContext) -> None:
        # Called for every handshake, with None when the client names no server.
        handshake.context = self._current


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path to ``content`` for an API that takes no bytes; in memory where the platform can."""
    if hasattr(os, "memfd_create"):  # works on a read-only root file system, and writes no key to a disk
        with open(os.memfd_create("pem"), "wb") as memory:  # noqa: PTH123 - a descriptor, not a path
            memory.write(content)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
