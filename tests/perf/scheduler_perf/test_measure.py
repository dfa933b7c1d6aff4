"""Arms take turns, and ratios are taken within a round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perf.scheduler_perf.data_items import NoItemError
from perf.scheduler_perf.measure import Case, entry, measure
from perf.scheduler_perf.run import ARMS, Arm
from perf.scheduler_perf.workloads import Workload
from sandbox.errors import SandboxError

BASIC = Workload("misc", "SchedulingBasic", "500Nodes")


def run_at(pace: float) -> dict[str, Any]:
    quantiles = {"p50": 1.0, "p90": 2.0, "p99": 3.0}
    return {"pods_per_second": {"mean": pace, **quantiles}, "attempt_ms": {"mean": 1.5, **quantiles}}


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    stock, ours = ARMS[:2]
    paces = {stock.name: [100, 200, 50], ours.name: [90, 240, 50]}
    found = entry(BASIC, (stock, ours), {name: [run_at(pace) for pace in values] for name, values in paces.items()})
    # Round by round 0.9, 1.2 and 1.0: the rounds differ in pace, the ratios do not mix them.
    assert (found["arms"][ours.name]["ratio"], found["arms"][ours.name]["ratio_least"]) == (1.0, 0.9)
    assert found["arms"][stock.name]["ratio"] == 1.0
    assert found["rounds"] == 3


def test_each_arm_has_the_baseline_of_its_own_percentage() -> None:
    assert {arm.name: arm.baseline for arm in ARMS} == {
        "stock": "stock",
        "stowplan": "stock",
        "stock, every node": "stock, every node",
        "stowplan, every node": "stock, every node",
        "trivial extender": "stock",
        "trivial extender, every node": "stock, every node",
    }


def test_every_arm_runs_once_a_round_in_a_directory_of_its_own(tmp_path: Path) -> None:
    seen: list[tuple[str, Path]] = []
    told: list[tuple[str, int, int]] = []

    def run(_workload: Workload, arm: Arm, scratch: Path) -> dict[str, Any]:
        seen.append((arm.name, scratch))
        return run_at(100)

    (found,) = measure([Case(BASIC, ARMS, 5)], run, tmp_path, lambda *what: told.append(what))
    assert found["workload"] == "SchedulingBasic/500Nodes"
    rounds = [[name for name, _ in seen[start : start + 6]] for start in range(0, 30, 6)]
    assert all(sorted(names) == sorted(arm.name for arm in ARMS) for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1  # not always in the same order
    assert len({scratch for _, scratch in seen}) == 30
    assert told[-1][1:] == (29, 30)


def test_cases_have_arms_and_rounds_of_their_own_and_come_one_by_one(tmp_path: Path) -> None:
    cases = [Case(BASIC, ARMS[:2], 2), Case(Workload("affinity", "SchedulingNodeAffinity", "500Nodes"), ARMS[:1], 1)]
    ran: list[str] = []

    def run(workload: Workload, _arm: Arm, _scratch: Path) -> dict[str, Any]:
        ran.append(str(workload))
        return run_at(100)

    found = measure(cases, run, tmp_path, lambda *_: None)

    assert next(found)["workload"] == "SchedulingBasic/500Nodes"
    assert len(ran) == 4  # the second case has not begun
    assert list(next(found)["arms"]) == ["stock"]


@pytest.mark.parametrize("error", [SandboxError("no etcd"), NoItemError("no etcd")])
def test_a_workload_that_cannot_be_run_is_told_at_the_end_and_the_others_run(tmp_path: Path, error: Exception) -> None:
    broken = Workload("misc", "Unschedulable", "500Nodes")

    def run(workload: Workload, _arm: Arm, _scratch: Path) -> dict[str, Any]:
        if workload is broken:
            raise error
        return run_at(100)

    told: list[tuple[str, int, int]] = []
    found = measure(
        [Case(broken, ARMS[:2], 1), Case(BASIC, ARMS[:1], 1)], run, tmp_path, lambda *what: told.append(what)
    )

    assert next(found)["workload"] == "SchedulingBasic/500Nodes"
    with pytest.raises(SandboxError, match="Unschedulable/500Nodes: no etcd"):
        next(found)
    assert told[-1][1:] == (2, 3)
