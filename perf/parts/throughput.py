"""Pods placed a second by the real kube-scheduler, with us beside it by each channel, and without: from a backlog and in a burst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perf.cluster import PlaceName, kind
from perf.in_kind import throughput as in_kind
from perf.part import Context, Data, Part
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table
from perf.throughput.__main__ import measure
from perf.throughput.arms import CHANNELS, arms_named
from perf.throughput.summary import summary
from sandbox.errors import SandboxError

_SIZES: Final[tuple[int, ...]] = (100, 500, 1000, 5000)
_BURSTS: Final = ((100, 100), (500, 500))
"""Nodes, and pods that come while the scheduler runs: what a gate holds back, a backlog holds back anyway."""
_SHORT_SIZES: Final[tuple[int, ...]] = (500,)


def _measure(context: Context) -> Data:
    return _in_kind(context) if context.place is kind else _on_sandbox(context)


def _in_kind(context: Context) -> Data:
    """Scheduler and extender in a pod that starts anew for each burst: in small on few nodes, else the channels on two sizes."""
    sizes: tuple[int, ...] = (100,) if context.short else (500, 1000)
    count, rounds, arms = (
        (200, 1, "narrow,narrow-all") if context.short else (400, 2, "narrow,prioritize,nominate,narrow-all")
    )
    with context.place(context.scratch / "cluster", context.progress) as cluster:
        if cluster.kind is None:
            raise SandboxError("this part rearranges the scheduler's Deployment, which it does in kind only")
        rows = in_kind.measure(cluster.kind, sizes, count, rounds, arms_named(arms), context.progress.update)
        return {"mode": "backlog", "sizes": {str(nodes): by_arm(summary(found)) for nodes, found in rows}}


def _on_sandbox(context: Context) -> Data:
    if context.short:
        sizes, count, rounds, arms = _SHORT_SIZES, 300, 1, "narrow,narrow-all"
    else:
        sizes, count, rounds, arms = _SIZES, 800, 3, "narrow,prioritize,narrow-all,prioritize-all"
    bursts = () if context.short else _BURSTS
    found, channels = {}, {}
    for number, nodes in enumerate(sizes):
        context.progress.update(f"{nodes} nodes", number, len(sizes) + len(bursts))
        # On few nodes fewer pods fit; what nobody can place would be waited for in every round.
        rows = measure(nodes, min(count, 2 * nodes), rounds, arms_named(arms))
        found[str(nodes)] = by_arm(summary(rows))
    for number, (nodes, pods) in enumerate(bursts, len(sizes)):
        context.progress.update(f"{pods} pods in a burst on {nodes} nodes", number, len(sizes) + len(bursts))
        rows = measure(nodes, pods, rounds, arms_named(",".join(CHANNELS)), backlog=False)
        channels[f"{nodes}/{pods}"] = by_arm(summary(rows))
    return {"mode": "backlog", "sizes": found, "channels": channels}


def by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The arms of one size, with what the baseline placed and this arm did not, and the cost over the baseline's and of seeing a sample."""
    arms = {row["arm"]: dict(row) for row in rows}
    for name, row in arms.items():
        row["unplaced_beyond_baseline"] = max(0, arms[row["baseline"]]["placed"] - row["placed"])
        before = arms[row["baseline"]]["in_use_dollars"]
        row["cost_over_baseline"] = round(row["in_use_dollars"] / before, 4) if before else 1.0
        every_node = arms.get(f"{name}-all")
        if every_node and every_node["in_use_dollars"]:
            row["cost_over_every_node"] = round(row["in_use_dollars"] / every_node["in_use_dollars"], 4)
    return arms


def _section(data: Data) -> Section:
    sizes: dict[str, Any] = data["sizes"]
    arms = list(next(iter(sizes.values())))
    ours = [arm for arm in arms if not arm.startswith("stock")]
    labels = [f"{nodes} nodes" for nodes in sizes]
    return Section(
        "Throughput with the real kube-scheduler",
        "Bare pods wait on a cluster of mixed EC2 shapes, three of five nodes in use and nearly full, when a stock kube-scheduler starts: "
        "alone, or with our extender by a channel (narrowing filter, sparse prioritize); looking at a sample of the nodes as it likes, or "
        "at every node (-all). All arms place the same pods in every round, in an order drawn anew.",
        [
            Plot(
                "Throughput over that of the scheduler alone at the same setting, paired by round; above 1 is faster.",
                bars(
                    labels,
                    {arm: [found[arm]["ratio"] for found in sizes.values()] for arm in ours},
                    "ratio",
                    reference=(1.0, "the scheduler alone"),
                ),
            ),
            Plot(
                "Price of all nodes in use afterwards; lower is cheaper.",
                bars(labels, {arm: [found[arm]["in_use_dollars"] for found in sizes.values()] for arm in arms}, "$/h"),
            ),
        ],
        [
            Table(
                "By size and arm; waits are from a pod's first event to the one that shows its node",
                (
                    "nodes / arm",
                    "placed",
                    "pods/s",
                    "ratio",
                    "least",
                    "wait p50 ms",
                    "p99 ms",
                    "opened $/h",
                    "CPU ms per pod",
                ),
                [_row(f"{nodes} / {arm}", row) for nodes, found in sizes.items() for arm, row in found.items()],
            ),
            *_channels(data.get("channels") or {}),
        ],
    )


def _channels(bursts: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Every channel on pods that come in a burst; none where that was not measured."""
    if not bursts:
        return []
    title = "Channels, pods created while the scheduler runs: pods/s from the first creation to the last binding, paired by round"
    columns = ("nodes / pods / arm", "placed", "pods/s", "ratio", "wait p50 ms", "p99 ms", "opened $/h", "in use $/h")
    rows = [_burst_row(f"{size} / {arm}", row) for size, found in bursts.items() for arm, row in found.items()]
    return [Table(title, columns, rows)]


def _burst_row(label: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        label,
        f"{row['placed']} of {row['pods']}",
        f"{row['overall_per_second']:.0f}",
        "" if row["overall_ratio"] is None else f"{row['overall_ratio']:.2f}",
        f"{row['wait_p50_ms']:.0f}",
        f"{row['wait_p99_ms']:.0f}",
        f"{row['opened_dollars']:.2f}",
        f"{row['in_use_dollars']:.2f}",
    )


def _row(label: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    ratios = ("" if row[key] is None else f"{row[key]:.2f}" for key in ("ratio", "ratio_least"))
    return (
        label,
        f"{row['placed']} of {row['pods']}",
        f"{row['pods_per_second']:.0f}",
        *ratios,
        f"{row['wait_p50_ms']:.0f}",
        f"{row['wait_p99_ms']:.0f}",
        f"{row['opened_dollars']:.2f}",
        f"{sum(row['cpu_us_per_pod'].values()) / 1000:.1f}",
    )


PART = Part(
    "throughput", _measure, _section, starts_processes=True, places=frozenset({PlaceName.SANDBOX, PlaceName.KIND})
)
