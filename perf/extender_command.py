"""How the extender of an arm is started beside a scheduler that is measured."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from extender.scheduler_config import Channel


def command(
    kubeconfig: str | Path,
    ports: tuple[int, int],
    channel: Channel,
    *,
    flags: Sequence[str] = (),
    trivial: bool = False,
) -> list[str]:
    """Program and arguments.

    Args:
        kubeconfig: of the API server to watch.
        ports: of the calls, and of health and metrics.
        channel: by which it tells the scheduler.
        flags: beyond that.
        trivial: `perf.trivial_extender` instead of ours: it watches nothing and decides nothing.
    """
    port, metrics = ports
    if trivial:
        return [sys.executable, "-m", "perf.trivial_extender", str(port), str(metrics)]
    argv = [sys.executable, "-m", "extender", f"--kubeconfig={kubeconfig}", f"--port={port}"]
    return [*argv, f"--metrics-port={metrics}", f"--channel={channel}", *flags]
