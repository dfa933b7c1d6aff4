"""Rounds of arms in turn, and the ratio of each arm to the one without an extender in the same round."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perf.scheduler_perf.data_items import NoItemError
from perf.scheduler_perf.run import Arm
from perf.scheduler_perf.workloads import Workload
from sandbox.errors import SandboxError

Run = Callable[[Workload, Arm, Path], Mapping[str, Any]]
"""One measurement in a directory that does not exist yet."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Case:
    """What is run of one workload."""

    workload: Workload
    arms: Sequence[Arm]
    rounds: int


def measure(cases: Sequence[Case], run: Run, scratch: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """One entry per case, as it comes. The arms of a round come in an order of their own, so that none is always first.

    Raises:
        SandboxError: after the last case, of those that could not be run.
    """
    chance = random.Random(1)  # noqa: S311 - an order, not a secret
    total = sum(case.rounds * len(case.arms) for case in cases)
    done = 0
    failures = []
    for case in cases:
        runs: dict[str, list[Mapping[str, Any]]] = {arm.name: [] for arm in case.arms}
        turns = [arm for _ in range(case.rounds) for arm in chance.sample(case.arms, len(case.arms))]
        try:
            for number, arm in enumerate(turns, start=done):
                progress(f"{case.workload}, {arm.name}", number, total)
                runs[arm.name].append(run(case.workload, arm, scratch / str(number)))
        except (SandboxError, NoItemError) as error:  # the other workloads can still be measured
            failures.append(f"{case.workload}: {error}")
        else:
            yield entry(case.workload, case.arms, runs)
        done += len(turns)
    if failures:
        raise SandboxError("\n".join(failures))


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
