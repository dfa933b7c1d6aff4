"""The baseline of the webhook: the same server stack (stowplan.serving.direct, uvloop, TLS) that allows every review without a look at it.

`python -m perf.admission.bare --port PORT --tls-dir DIR`
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Final

import uvloop

from stowplan.serving.certificates import KeyPair
from stowplan.serving.direct import Answer, Call
from stowplan.serving.http import Direct, Drain, Listener, serve
from stowplan.serving.tls import server_context

_ALLOWED: Final = Answer(
    b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":true}}'
)


def _allow(_call: Call) -> Answer:
    return _ALLOWED


async def _serve(port: int, tls_dir: Path) -> None:
    pair = KeyPair((tls_dir / "tls.crt").read_bytes(), (tls_dir / "tls.key").read_bytes())
    drain = Drain()
    drain.on_signals()
    await serve([Listener(Direct(_allow), "127.0.0.1", port, server_context(pair))], drain, drain_seconds=0.0)


def main() -> None:
    """Entry point; serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="perf.admission.bare", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-dir", type=Path, required=True)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.port, options.tls_dir))


if __name__ == "__main__":
    main()
