"""Backlogs on mostly full nodes: what the plan opens, against packers without a plan; and how planning scales."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

from extender.binpacking.planning import make_plan
from extender.cluster.snapshot import NodeInfo, Snapshot
from perf.instances import Backlog, node_of, signature_of
from perf.packing import Sample
from perf.packing import measure as pack
from stowplan.catalog import load_catalog
from stowplan.model.builtin_classes import BUILTIN_CLASSES

SIZES: Final = (Backlog(50, 100), Backlog(200, 500), Backlog(500, 1000), Backlog(1000, 2000), Backlog(2000, 5000))
JUDGED_SEEDS: Final = (101, 102, 103, 104)
_GROUPS: Final = 20
_SCALES: Final = (500, 1000, 2000, 5000, 10_000)


def measure(sizes: Sequence[Backlog] = SIZES, seeds: Sequence[int] = JUDGED_SEEDS) -> dict[str, Any]:
    """By size: newly opened price relative to each baseline on the instances where both placed the same number of pods, gap and time."""
    samples = pack(sizes, seeds)
    rows = [_row(size, [sample for sample in samples if sample.size == size]) for size in sizes]
    return {"by_size": rows, "all": _row(None, samples)}


def _row(size: Backlog | None, samples: list[Sample]) -> dict[str, Any]:
    return {
        "instance": "all" if size is None else str(size),
        "instances": len(samples),
        "opened_relative_to": {name: _relative(samples, name) for name in ("most-allocated", "first-fit-decreasing")},
        "gap_percent_mean": round(statistics.fmean(s.gap_permille for s in samples) / 10, 2),
        "plan_ms_median": statistics.median(s.plan_ms for s in samples),
        "plan_ms_most": max(s.plan_ms for s in samples),
    }


def _relative(samples: list[Sample], name: str) -> dict[str, Any]:
    """The plan's opened price over a baseline's: mean and worst; left out where that is nothing or places others."""
    fair = [s for s in samples if s.placed["plan"] == s.placed[name] and s.opened[name]]
    shares = [s.opened["plan"] / s.opened[name] for s in fair]
    return {
        "mean": round(statistics.fmean(shares), 4) if shares else None,
        "worst": round(max(shares), 4) if shares else None,
        "left_out": len(samples) - len(fair),
        "plan_opened_more": sum(
            s.placed["plan"] <= s.placed[name] and s.opened["plan"] > s.opened[name] for s in samples
        ),
        "plan_placed_fewer": sum(s.placed["plan"] < s.placed[name] for s in samples),
    }


def scaling(scales: Sequence[int] = _SCALES) -> list[dict[str, Any]]:
    """500 pods in 20 groups on more and more nodes, filled in 20 ways: time to a validated plan.

    In milliseconds of the clock and of the processor: a busy machine stretches the first.
    """
    rows = []
    for nodes in scales:
        snapshot = _grouped(nodes)
        row: dict[str, Any] = {"nodes": nodes}
        for label, limit in (("greedy", 0.0), ("plan", 0.5)):
            wall, used = time.perf_counter(), time.process_time()
            plan = make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=limit)
            row[f"{label}_ms"] = round((time.perf_counter() - wall) * 1000)
            row[f"{label}_cpu_ms"] = round((time.process_time() - used) * 1000)
            row["placed"] = plan.placed
        rows.append(row)
    return rows


def _grouped(count: int) -> Snapshot:
    """Nodes of four types, filled to one of four levels or empty: a fixed number of kinds, whatever the number of nodes."""
    catalog = load_catalog()
    kinds = [catalog[name] for name in ("m5.2xlarge", "c5.4xlarge", "r5.xlarge", "m5.large")]
    nodes = {}
    for index in range(count):
        kind = kinds[index % len(kinds)]
        node = node_of(f"node-{index:05d}", kind, "zone-0")
        percent = (95, 90, 80, 70, 0)[index // len(kinds) % 5]
        resident = signature_of(
            f"resident-{kind.name}-{percent}",
            node.allocatable["cpu"] * percent // 100,
            node.allocatable["memory"] * percent // 100 // 2**20,
        )
        nodes[node.name] = NodeInfo(node, dict(resident.requests), {resident: 1}) if percent else NodeInfo(node, {}, {})
    shapes = ((250, 512), (500, 2048), (1000, 1792), (2000, 3584))
    pending = {signature_of(f"app-{g}", *shapes[g % len(shapes)]): 500 // _GROUPS for g in range(_GROUPS)}
    return Snapshot(1, nodes, pending)
