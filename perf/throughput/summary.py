"""From bursts to rows, and from the rows of a run to ratios against the scheduler without an extender."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from perf.throughput.arms import ARMS, Arm
from perf.throughput.burst import Burst
from perf.throughput.workload import Cluster
from stowplan.model.money import dollars


@dataclass(frozen=True, slots=True)
class Row:
    """One arm in one round. Money is micro-dollars an hour, times are milliseconds."""

    arm: str
    round: int
    nodes: int
    pods: int
    placed: int
    pods_per_second: float
    """From the first binding to the last."""
    overall_per_second: float
    """From the first creation to the last binding; what holds pods back shows here and not above."""
    wait_p50_ms: float
    """From a pod's first event to the one that shows its node."""
    wait_p99_ms: float
    opened: int
    """Price of the nodes that were empty before."""
    in_use: int
    """Price of all nodes in use."""
    cpu_us_per_pod: Mapping[str, int]
    queued_us_per_pod: Mapping[str, int]
    """Time in which a process was ready to run and waited for a processor."""


def row(arm: Arm, round_: int, cluster: Cluster, pods: int, burst: Burst) -> Row:
    """The numbers of one burst."""
    moments = burst.moments
    bound = sorted(moments.bound.values())
    waits = sorted(moments.bound[name] - moments.created[name] for name in moments.bound)
    used = set(moments.nodes.values())
    seconds = bound[-1] - bound[0] if len(bound) > 1 else 0.0
    return Row(
        arm=arm.name,
        round=round_,
        nodes=len(cluster.nodes),
        pods=pods,
        placed=len(bound),
        pods_per_second=round((len(bound) - 1) / seconds, 1) if seconds else 0.0,
        overall_per_second=_overall(bound, moments.created.values()),
        wait_p50_ms=_percentile(waits, 50),
        wait_p99_ms=_percentile(waits, 99),
        opened=sum(cluster.prices[name] for name in used - cluster.in_use),
        in_use=sum(cluster.prices[name] for name in used | cluster.in_use),
        cpu_us_per_pod=_per_pod(burst.used.cpu_ms, len(bound)),
        queued_us_per_pod=_per_pod(burst.used.queued_ms, len(bound)),
    )


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Medians of every arm, and the median, over the rounds, of its ratio to the baseline in the same round."""
    by_arm: defaultdict[str, dict[int, Row]] = defaultdict(dict)
    for one in rows:
        by_arm[one.arm][one.round] = one
    return [_arm_summary(ARMS[name], rounds, by_arm) for name, rounds in by_arm.items()]


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as JSON values."""
    return [asdict(one) for one in rows]


def _arm_summary(arm: Arm, rounds: Mapping[int, Row], by_arm: Mapping[str, Mapping[int, Row]]) -> dict[str, Any]:
    values = list(rounds.values())
    baseline = by_arm.get(arm.baseline, {})
    ratios = _ratios(rounds, baseline, lambda one: one.pods_per_second)
    overall = _ratios(rounds, baseline, lambda one: one.overall_per_second)
    return {
        "arm": arm.name,
        "baseline": arm.baseline,
        "rounds": len(values),
        "nodes": values[0].nodes,
        "pods": values[0].pods,
        "placed": min(one.placed for one in values),
        "pods_per_second": median(one.pods_per_second for one in values),
        "ratio": round(median(ratios), 3) if ratios else None,
        "ratio_least": round(min(ratios), 3) if ratios else None,
        "overall_per_second": median(one.overall_per_second for one in values),
        "overall_ratio": round(median(overall), 3) if overall else None,
        "wait_p50_ms": median(one.wait_p50_ms for one in values),
        "wait_p99_ms": median(one.wait_p99_ms for one in values),
        "opened_dollars": dollars(median(one.opened for one in values)),
        "in_use_dollars": dollars(median(one.in_use for one in values)),
        "cpu_us_per_pod": _medians([one.cpu_us_per_pod for one in values]),
        "queued_us_per_pod": _medians([one.queued_us_per_pod for one in values]),
    }


def _ratios(rounds: Mapping[int, Row], baseline: Mapping[int, Row], pace: Callable[[Row], float]) -> list[float]:
    return [
        pace(one) / pace(baseline[number])
        for number, one in rounds.items()
        if number in baseline and pace(baseline[number])
    ]


def _overall(bound: Sequence[float], created: Iterable[float]) -> float:
    """Placed pods a second since the first was created."""
    return round(len(bound) / (bound[-1] - min(created)), 1) if bound else 0.0


def _per_pod(milliseconds: Mapping[str, int], pods: int) -> dict[str, int]:
    return {name: ms * 1000 // max(1, pods) for name, ms in milliseconds.items()}


def _medians(values: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for one in values for name in one})
    return {name: int(median(one.get(name, 0) for one in values)) for name in names}


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Of ascending seconds, in milliseconds."""
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 1) if ordered else 0.0
