"""A serving certificate for clusters without a rotation of their own: sandboxes, tests, a first look."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from stowplan.model.keys import SYSTEM_NAMESPACE
from stowplan.serving.certificates import make_ca, make_leaf, needs_renewal

CA_FILE: Final = "ca.crt"
CERTIFICATE_FILE: Final = "tls.crt"
KEY_FILE: Final = "tls.key"
_SERVICE: Final = "stowplan-webhook"


def ensure_self_signed(folder: Path, host: str, now: datetime) -> None:
    """Make CA and leaf in `folder` unless a pair is there that stays valid; the CA's key is never written.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (CA_FILE, CERTIFICATE_FILE, KEY_FILE)]
    if all(path.is_file() for path in paths) and not needs_renewal(paths[1].read_bytes(), paths[0].read_bytes(), now):
        return
    ca = make_ca("stowplan webhook (self-signed)", now)
    service = f"{_SERVICE}.{SYSTEM_NAMESPACE}.svc"
    leaf = make_leaf(ca, [service, _SERVICE, "localhost", "127.0.0.1", *_extra(host)], now)
    for path, content, mode in zip(
        paths, (ca.certificate, leaf.certificate, leaf.key), (0o644, 0o644, 0o600), strict=True
    ):
        _write(path, content, mode)


def _extra(host: str) -> list[str]:
    return [] if host in ("127.0.0.1", "localhost", "0.0.0.0", "::", "") else [host]


def _write(path: Path, content: bytes, mode: int) -> None:
    scratch = path.with_suffix(".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    scratch.replace(path)
