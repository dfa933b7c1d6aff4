"""Backlogs that wait on mostly full nodes, and how planning grows with the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perf.part import Context, Data, Part, takes
from perf.report.figures import bars, lines
from perf.report.section import Plot, Section, Table
from perf.simulation import backlogs

_SHORT_SIZES = backlogs.SIZES[:3]
_SHORT_SEEDS = backlogs.JUDGED_SEEDS[:2]
_SHORT_SCALES = (500, 1000, 2000)
_REPEATS = 3


def _measure_backlogs(context: Context) -> Data:
    context.progress.update("packing")
    return backlogs.measure(_SHORT_SIZES, _SHORT_SEEDS) if context.short else backlogs.measure()


def _backlogs(data: Data) -> Section:
    rows: list[dict[str, Any]] = data["by_size"]
    names = ("most-allocated", "first-fit-decreasing")
    sizes = [row["instance"] for row in rows]
    return Section(
        "Backlogs",
        f"Pods wait on a cluster whose nodes are four-fifths open and nearly full, with mixed prices ({data['all']['instances']} "
        "instances). Counted is the price of the nodes that have to be opened, relative to what a baseline opens on the same "
        "instance.",
        [
            Plot(
                "Newly opened $/h of the plan over that of a baseline, by pods / nodes; below 1 is cheaper.",
                bars(
                    sizes,
                    {f"over {n}": [row["opened_relative_to"][n]["mean"] for row in rows] for n in names},
                    "plan / baseline",
                    reference=(1.0, "as dear as the baseline"),
                ),
            ),
            Plot(
                "Reported gap between the plan's cost and its proven bound.",
                bars(
                    sizes, {"stowplan": [row["gap_percent_mean"] for row in rows]}, "gap, %", reference=(5.0, "target")
                ),
            ),
        ],
        [
            Table(
                "By pods / nodes",
                ("pods / nodes", "n", "over most", "worst", "over FFD", "worst", "gap", "plan ms p50", "plan ms max"),
                [_backlog_row(row) for row in [*rows, data["all"]]],
            )
        ],
    )


def _backlog_row(row: dict[str, Any]) -> tuple[str, ...]:
    shares = [
        _share(row["opened_relative_to"][name][key])
        for name in ("most-allocated", "first-fit-decreasing")
        for key in ("mean", "worst")
    ]
    gap = f"{row['gap_percent_mean']:.1f} %"
    return (
        row["instance"],
        str(row["instances"]),
        *shares,
        gap,
        f"{row['plan_ms_median']:.0f}",
        str(row["plan_ms_most"]),
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _measure_scaling(context: Context) -> Data:
    context.progress.update("500 pods on more and more nodes")
    repeats = [backlogs.scaling(_SHORT_SCALES) if context.short else backlogs.scaling() for _ in range(_REPEATS)]
    rows = least(repeats)
    return {"rows": rows, "growth": {name: growth(rows, name) for name in ("greedy_cpu_ms", "plan_cpu_ms")}}


def least(repeats: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The least of every figure over the repeats, row by row: what is above it is the work of others on the machine."""
    return [{key: min(row[key] for row in rows) for key in rows[0]} for rows in zip(*repeats, strict=True)]


def growth(rows: list[dict[str, Any]], key: str) -> float:
    """How many times faster than the nodes the time grew, from the first size to the last; 1 is in proportion."""
    first, last = rows[0], rows[-1]
    grown, larger = last[key] / max(1, first[key]), last["nodes"] / first["nodes"]
    return float(round(grown / larger, 3))


def _scaling(data: Data) -> Section:
    rows: list[dict[str, Any]] = data["rows"]
    series = {"plan": "plan_ms", "plan, processor time": "plan_cpu_ms", "greedy": "greedy_ms"}
    return Section(
        "Planning at scale",
        "500 pods in 20 groups on more and more nodes of 20 kinds: time from a snapshot to a validated plan, the least of three. From "
        f"the first size to the last the processor time grew {data['growth']['plan_cpu_ms']:.2f} times as fast as the nodes.",
        [
            Plot(
                "Milliseconds to a validated plan; both axes are logarithmic, so that growth in proportion has a slope of one.",
                lines(
                    [row["nodes"] for row in rows],
                    {name: [row[key] for row in rows] for name, key in series.items()},
                    ("nodes", "ms"),
                    logarithmic=True,
                ),
            )
        ],
        [
            Table(
                "Milliseconds",
                ("nodes", "greedy", "greedy CPU", "plan", "plan CPU", "placed"),
                [
                    tuple(
                        str(row[k]) for k in ("nodes", "greedy_ms", "greedy_cpu_ms", "plan_ms", "plan_cpu_ms", "placed")
                    )
                    for row in rows
                ],
            )
        ],
        ("The solver is given half a second; what is above it is grouping, model building and validation.",),
    )


BACKLOGS = Part("backlogs", _measure_backlogs, _backlogs, takes=takes(4, 60))
SCALING = Part("scaling", _measure_scaling, _scaling, takes=takes(6, 30))
