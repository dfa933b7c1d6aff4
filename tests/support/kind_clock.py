"""The recommender beside a kind cluster, by a clock of the test: a step back needs hours, which nobody waits for."""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from sandbox.kind.cluster import KindCluster
from sandbox.ports import PortReservation
from sandbox.probe import healthy, wait_until
from sandbox.processes import Process
from stowplan.model.keys import SYSTEM_NAMESPACE
from tests.support.kind import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
RECOMMENDER: Final = "stowplan-recommender"
HOUR_S: Final = 3600


class Hours:
    """The recommender's clock: it stands still until it is moved on."""

    def __init__(self, folder: Path, now_s: float) -> None:
        self._now = folder / "now"
        self._now_s = now_s
        self._write()

    def pass_by(self, hours: int) -> None:
        """An hour is over, and another one; the recommender looks at the clock five times a second."""
        for _ in range(hours):
            self._now_s += HOUR_S
            self._write()
            time.sleep(1)

    def _write(self) -> None:
        fresh = self._now.with_suffix(".new")
        fresh.write_text(f"{self._now_s}", "ascii")
        fresh.rename(self._now)  # at once: a reader must never see half a number


@contextmanager
def recommender_by_the_hour(cluster: KindCluster, folder: Path, hours_ago: int) -> Iterator[Hours]:
    """One that starts some hours ago in the place of the cluster's own, which goes on at the end. It sees no usage, but all incidents."""
    (folder / "usage.jsonl").touch()
    clock = Hours(folder, time.time() - hours_ago * HOUR_S)
    _scale(cluster, 0)
    with PortReservation() as ports:
        port = ports.reserve()
        argv: list[str | Path] = [sys.executable, "-m", "tests.support.recorded_recommender", folder]
        argv += ["--kubeconfig", cluster.kubeconfig, "--metrics-port", str(port)]
        argv += ["--poll-seconds", "0.2", "--pass-seconds", "1", "--urgent-seconds", "0.3"]
        process = Process("recommender", argv, folder / "recommender.log", {**os.environ, "PYTHONPATH": str(ROOT)})
        try:
            ready = partial(healthy, f"http://127.0.0.1:{port}/readyz", ssl.create_default_context())
            wait_until("the recommender is ready", ready, process=process)
            yield clock
            process.check()
        finally:
            process.stop(grace_seconds=30)
            _scale(cluster, 1)


def _scale(cluster: KindCluster, replicas: int) -> None:
    cluster.kubectl("-n", SYSTEM_NAMESPACE, "scale", f"deployment/{RECOMMENDER}", f"--replicas={replicas}")
    if replicas:
        cluster.kubectl("-n", SYSTEM_NAMESPACE, "rollout", "status", f"deployment/{RECOMMENDER}", "--timeout=180s")
    else:
        eventually(lambda: not any(name.startswith(RECOMMENDER) for name in cluster.pods()), "its pod is gone")
