"""Rounds that alternate between ours and the baseline, and medians over them."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from perf.admission.creates import creates, is_sized, make_namespace
from perf.admission.load import Load, run_apart
from perf.cluster import Cluster, Service
from perf.requests import review
from sandbox.certificates import write_private
from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.probe import healthy, wait_until
from stowplan.kube.client import ApiClient

OPTED_IN: Final = "shop"
"""The namespace of `perf.requests.review`."""
PLAIN: Final = "perf-plain"
CONNECTIONS: Final = 8
_BARE: Final = "bare-webhook"
_ROOT: Final = Path(__file__).resolve().parents[2]
_ANSWER_TRIES: Final = 150


def compare(baseline: Sequence[Load], ours: Sequence[Load]) -> dict[str, Any]:
    """Medians of both, and of the ratios round by round: throughput and median latency, ours over the baseline's."""
    pairs = list(zip(ours, baseline, strict=True))
    return {
        "baseline": medians(baseline),
        "stowplan": medians(ours),
        "throughput_ratio": round(statistics.median(one.per_second / other.per_second for one, other in pairs), 4),
        "p50_ratio": round(statistics.median(one.p50_us / other.p50_us for one, other in pairs), 4),
        "rounds": len(pairs),
    }


def medians(loads: Sequence[Load]) -> dict[str, float]:
    """Of every figure; failures are summed."""
    figures: dict[str, list[float]] = {}
    for load in loads:
        for name, value in asdict(load).items():
            figures.setdefault(name, []).append(value)
    return {name: sum(v) if name == "failures" else round(statistics.median(v), 1) for name, v in figures.items()}


async def through_api_server(cluster: Cluster, rounds: int, count: int) -> dict[str, Any]:
    """Dry-run creates in a namespace that is opted in, and in one that is not.

    Raises:
        SandboxError: the webhook does not answer.
    """
    found: dict[str, list[Load]] = {PLAIN: [], OPTED_IN: []}
    async with ApiClient(cluster.connection) as api:
        for name in found:
            await make_namespace(api, name, opted_in=name == OPTED_IN)
        await _sized(api)
        for name in found:
            await creates(api, name, count // 4)  # warm-up
        for number in range(rounds):
            for name in reversed(found) if number % 2 else found:
                found[name].append(await creates(api, name, count))
    return compare(found[PLAIN], found[OPTED_IN])


async def _sized(api: ApiClient) -> None:
    """Wait until the webhook answers for the namespace: it learns of it by a watch."""
    for _ in range(_ANSWER_TRIES):
        if await is_sized(api, OPTED_IN):
            return
        await asyncio.sleep(0.2)
    raise SandboxError(f"no pod of namespace {OPTED_IN} is sized; is stowplan installed and ready?")


def directly(plane: ControlPlane, webhook: Service, rounds: int, seconds: float, scratch: Path) -> dict[str, Any]:
    """Reviews over kept-alive TLS connections, against a server of the same stack that allows everything unread."""
    body = json.dumps(review()).encode()
    drive: Callable[[str], Load] = partial(_drive, webhook.ca_file, body, scratch, seconds)
    ours: list[Load] = []
    baseline: list[Load] = []
    with _bare(plane, scratch) as bare_url:
        for number in range(rounds):
            turns = [(webhook.url, ours), (bare_url, baseline)]
            for url, kept in reversed(turns) if number % 2 else turns:
                kept.append(drive(url))
    return compare(baseline, ours)


def _drive(ca_file: Path, body: bytes, scratch: Path, seconds: float, url: str) -> Load:
    return run_apart(url, ca_file, body, scratch, connections=CONNECTIONS, seconds=seconds)


@contextmanager
def _bare(plane: ControlPlane, scratch: Path) -> Iterator[str]:
    """The baseline as a process beside the webhook; its URL."""
    folder = scratch / "bare-tls"
    folder.mkdir()
    pair = plane.pki.server_certificate(_BARE)
    (folder / "tls.crt").write_bytes(pair.certificate)
    write_private(folder / "tls.key", pair.key)
    port = plane.port(_BARE)
    argv: list[str | Path] = [sys.executable, "-m", "perf.admission.bare", f"--port={port}", f"--tls-dir={folder}"]
    process = plane.start_process(_BARE, argv, {"PYTHONPATH": str(_ROOT)})
    url = f"https://127.0.0.1:{port}"
    try:
        wait_until(_BARE, partial(healthy, f"{url}/readyz", plane.pki.ssl_context()), process=process)
        yield f"{url}/mutate"
    finally:
        plane.stop_component(_BARE)
