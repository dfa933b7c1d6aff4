"""Time and memory of a full recommendation pass: 10,000 workloads of 3 containers, eight weeks of history each."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from recommender.remembering.codes import encode
from recommender.remembering.history import BANDS, DAYS, History
from recommender.sizing.prices import list_prices
from recommender.sizing.recommendation import Subject, recommend
from stowplan.model.builtin_classes import BUILTIN_CLASSES

WORKLOADS: Final = 10_000
CONTAINERS: Final = 3
TODAY: Final = 20_000


def histories(count: int, seed: int = 1) -> list[History]:
    """Histories of log-normal use, each day its own level."""
    rng = np.random.default_rng(seed)
    made = []
    days = np.arange(TODAY - DAYS, TODAY)
    for _ in range(count):
        history = History()
        level = rng.lognormal(5.0, 1.5)
        cpu = np.sort(level * rng.lognormal(0.0, 0.5, (DAYS, BANDS)), axis=1)
        memory = level * 1e6 * rng.lognormal(0.0, 0.2, DAYS)
        history.days[days % DAYS] = days
        history.codes[days % DAYS] = np.column_stack(
            [encode(cpu), encode(cpu.mean(axis=1)), encode(memory), np.full(DAYS, 1440)]
        )
        made.append(history)
    return made


def measure(workloads: int = WORKLOADS) -> dict[str, Any]:
    """Seconds of one pass and peak memory of the process (with the histories), on as many cores as numpy takes (one)."""
    classes = list(BUILTIN_CLASSES)
    subjects = [
        Subject(f"ns/Deployment/w{i // CONTAINERS}/c{i % CONTAINERS}", history, classes[i // CONTAINERS % len(classes)])
        for i, history in enumerate(histories(workloads * CONTAINERS))
    ]
    started, cpu_started = time.perf_counter(), time.process_time()
    count = sum(1 for _ in recommend(subjects, TODAY, BUILTIN_CLASSES, list_prices()))
    return {
        "containers": count,
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time() - cpu_started, 2),
        "peak_mib": peak_kib() // 1024,
        "checkpoint_bytes_max": max(len(subject.history.checkpoint()) for subject in subjects[:200]),
    }


def peak_kib() -> int:
    """Peak resident memory since the program was loaded; getrusage would also count the process that started this one."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (
        line for line in status.read_text(encoding="ascii", errors="replace").splitlines() if line.startswith("VmHWM:")
    )
    return int(line.split()[1])


def measured_apart() -> str:
    """The measurement as JSON from a process of its own, so that nothing else counts towards its memory."""
    command = [sys.executable, "-m", "perf.sizing.scale"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()))
