"""Rounds of arms in turn, and the ratio of each arm to the one without an extender in the same round."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from perf.scheduler_perf.run import Arm
from perf.scheduler_perf.workloads import Workload

Run = Callable[[Workload, Arm, Path], Mapping[str, Any]]
"""One measurement in a directory that does not exist yet."""
Progress = Callable[[str, int, int], None]


def measure(
    workloads: Sequence[Workload], arms: Sequence[Arm], rounds: int, run: Run, scratch: Path, progress: Progress
) -> list[dict[str, Any]]:
    """One entry per workload. The arms of a round come in an order of their own, so that none is always first."""
    chance = random.Random(1)  # noqa: S311 - an order, not a secret
    total = len(workloads) * rounds * len(arms)
    done = 0
    entries = []
    for workload in workloads:
        runs: dict[str, list[Mapping[str, Any]]] = {arm.name: [] for arm in arms}
        for number in range(rounds):
            for arm in chance.sample(arms, len(arms)):
                progress(f"{workload}, {arm.name}", done, total)
                runs[arm.name].append(run(workload, arm, scratch / f"{done}-{number}"))
                done += 1
        entries.append(entry(workload, arms, runs))
    return entries


def entry(workload: Workload, arms: Sequence[Arm], runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Medians over the rounds, and of each arm's throughput over its baseline's in the same round."""
    return {
        "workload": str(workload),
        "rounds": len(next(iter(runs.values()))),
        "arms": {arm.name: _arm(arm, runs) for arm in arms},
    }


def _arm(arm: Arm, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    paces = [run["pods_per_second"]["mean"] for run in runs[arm.name]]
    baseline = [run["pods_per_second"]["mean"] for run in runs.get(arm.baseline, ())]
    ratios = [pace / base for pace, base in zip(paces, baseline, strict=False) if base]
    return {
        "baseline": arm.baseline,
        "pods_per_second": round(statistics.median(paces), 1),
        "ratio": round(statistics.median(ratios), 4) if ratios else None,
        "ratio_least": round(min(ratios), 4) if ratios else None,
        "attempt_ms": {
            name: round(statistics.median(run["attempt_ms"][name] for run in runs[arm.name]), 3)
            for name in ("mean", "p50", "p90", "p99")
        },
        "runs": [dict(run) for run in runs[arm.name]],
    }
