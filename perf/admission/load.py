"""A load generator: `python -m perf.admission.load URL --ca FILE --body FILE`.

A process of its own, so that it does not share the interpreter with what it measures. Connections are kept alive, as the API server
keeps them; requests follow each other without a pause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_ROOT: Final = Path(__file__).resolve().parents[2]
_END: Final = b"\r\n\r\n"
_OK: Final = b" 200 "


@dataclass(frozen=True, slots=True)
class Load:
    """What a client saw. Times are microseconds."""

    requests: int
    failures: int
    """Answers other than 200."""
    seconds: float
    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float


def summary(times_ns: Sequence[int], failures: int, seconds: float) -> Load:
    """Quantiles (nearest rank) and rate.

    Raises:
        ValueError: nothing was answered.
    """
    if not times_ns:
        raise ValueError("no request was answered; is the server there?")
    ordered = sorted(times_ns)

    def quantile(permille: int) -> float:
        return round(ordered[min(len(ordered) - 1, len(ordered) * permille // 1000)] / 1000, 1)

    rate = round(len(ordered) / seconds, 1)
    return Load(len(ordered), failures, round(seconds, 3), rate, quantile(500), quantile(990), quantile(999))


async def drive(url: str, ca_file: Path, body: bytes, connections: int, seconds: float) -> Load:
    """Send the body again and again.

    Args:
        url: https or http; the path is part of it.
        ca_file: PEM to verify an https server by.
        body: of every request.
        connections: how many at once, each with one request in flight.
        seconds: how long; a tenth more is spent before, to warm up.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=str(ca_file)) if parts.scheme == "https" else None
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    begin = time.monotonic() + seconds / 10
    clients = [
        _Client(str(parts.hostname), parts.port or 443, context, head.encode() + body) for _ in range(connections)
    ]
    await asyncio.gather(*(client.run(begin, begin + seconds) for client in clients))
    times = [value for client in clients for value in client.times_ns]
    return summary(times, sum(client.failures for client in clients), seconds)


class _Client:
    """One connection."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, request: bytes) -> None:
        self._address = (host, port)
        self._context = context
        self._request = request
        self.times_ns: list[int] = []
        self.failures = 0

    async def run(self, begin: float, end: float) -> None:
        """One request after the other until `end`; what comes before `begin` does not count."""
        reader, writer = await asyncio.open_connection(*self._address, ssl=self._context)
        try:
            while time.monotonic() < end:
                started = time.perf_counter_ns()
                writer.write(self._request)
                head = await reader.readuntil(_END)
                await reader.readexactly(content_length(head))
                if time.monotonic() >= begin:
                    self.times_ns.append(time.perf_counter_ns() - started)
                    self.failures += _OK not in head.split(b"\r\n", 1)[0]
        finally:
            writer.close()


def content_length(head: bytes) -> int:
    """Of the body that follows a response's head.

    Raises:
        ValueError: the head names none.
    """
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError(f"the answer has no Content-Length: {head[:200]!r}")


def run_apart(url: str, ca_file: Path, body: bytes, scratch: Path, *, connections: int, seconds: float) -> Load:
    """The same from a process of its own.

    Raises:
        RuntimeError: it failed; the message is its last word.
    """
    path = scratch / "body.json"
    path.write_bytes(body)
    command = [sys.executable, "-m", "perf.admission.load", url, f"--ca={ca_file}", f"--body={path}"]
    command += [f"--connections={connections}", f"--seconds={seconds}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(f"the load generator failed: {said[-1] if said else done.returncode}")
    return Load(**json.loads(done.stdout))


def main() -> None:
    """Entry point; prints the summary as JSON."""
    parser = argparse.ArgumentParser(prog="perf.admission.load", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    found = asyncio.run(drive(options.url, options.ca, options.body.read_bytes(), options.connections, options.seconds))
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
