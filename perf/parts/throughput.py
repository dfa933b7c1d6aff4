"""Pods placed a second by the real kube-scheduler, with us beside it by each channel, and without: from a backlog and in a burst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from perf.cluster import PlaceName, kind
from perf.in_kind import throughput as in_kind
from perf.part import Context, Data, Part, takes
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table
from perf.throughput.__main__ import measure
from perf.throughput.arms import ARMS, CHANNELS, Load, arms_named
from perf.throughput.summary import summary
from sandbox.errors import SandboxError
from stowplan.kube.errors import KubeError

_NARROW: Final = arms_named("narrow,narrow-all")
_BOUNDED: Final = arms_named("narrow,narrow-all,trivial,trivial-all")
"""With an extender that decides nothing: what any extender on this machine can reach."""
_CHANNELS: Final = arms_named(",".join(CHANNELS))


def _loads(backlog: int, burst: int, rounds: tuple[int, int]) -> tuple[Load, Load]:
    """A backlog for the pace of the scheduler, and a burst for every channel: what a gate holds back, a backlog holds back anyway."""
    return Load(backlog, rounds[0], _BOUNDED), Load(burst, rounds[1], _CHANNELS, backlog=False)


_FULL: Final[Mapping[int, Sequence[Load]]] = {
    # more pods would not fit, and what nobody can place would be waited for in every round
    100: _loads(200, 100, (3, 2)),
    # the size of the target whose ratio the machine's noise moves most
    500: _loads(800, 500, (6, 2)),
    1000: _loads(800, 500, (3, 1)),
    5000: _loads(800, 500, (2, 1)),
}
"""By number of nodes."""
_SHORT: Final[Mapping[int, Sequence[Load]]] = {500: (Load(300, 1, _NARROW),)}
_DEFAULT: Final = arms_named("narrow")
_KIND: Final[in_kind.Plan] = {
    500: (Load(400, 3, _NARROW), Load(500, 2, _CHANNELS, backlog=False)),
    1000: (Load(800, 2, _NARROW), Load(500, 2, _DEFAULT, backlog=False)),
}
"""A pod that starts anew costs more than all that it places, so beyond 500 nodes there is the default channel alone."""
_KIND_SHORT: Final[in_kind.Plan] = {
    100: (Load(200, 1, _NARROW), Load(100, 1, arms_named("narrow,gates"), backlog=False)),
}


def _measure(context: Context) -> Data:
    return _in_kind(context) if context.place is kind else _on_sandbox(context)


def _in_kind(context: Context) -> Data:
    """Scheduler and extender in a pod that starts anew for each arm and round: a backlog on every size, every channel on a burst."""
    plan = _KIND_SHORT if context.short else _KIND
    with context.place(context.scratch / "cluster", context.progress) as cluster:
        if cluster.kind is None:
            raise SandboxError("this part rearranges the scheduler's Deployment, which it does in kind only")
        found: dict[str, Any] = {}
        channels: dict[str, Any] = {}
        for measured in in_kind.measure(cluster.kind, plan, context.progress.update):
            arms = by_arm(summary(measured.rows))
            if measured.backlog:
                found[str(measured.nodes)] = arms
            else:
                channels[f"{measured.nodes}/{measured.pods}"] = arms
            context.keep({"mode": "backlog", "sizes": found, "channels": channels})
        return {"mode": "backlog", "sizes": found, "channels": channels}


def _on_sandbox(context: Context) -> Data:
    plan = _SHORT if context.short else _FULL
    found: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    steps = sum(load.bursts for loads in plan.values() for load in loads)
    done = 0

    def said(nodes: int, line: str) -> None:
        nonlocal done
        done += 1
        context.progress.update(f"{nodes} nodes, {line}", done, steps)

    failures = []
    for nodes, loads in plan.items():
        try:
            measured = measure(nodes, loads, partial(said, nodes))
        except (SandboxError, KubeError) as error:  # the other sizes can still be measured
            failures.append(f"{nodes} nodes: {error}")
            continue
        for load, rows in zip(loads, measured, strict=True):
            if load.backlog:
                found[str(nodes)] = by_arm(summary(rows))
            else:
                channels[f"{nodes}/{load.pods}"] = by_arm(summary(rows))
        context.keep({"mode": "backlog", "sizes": found, "channels": channels})
    if failures:
        raise SandboxError("\n".join(failures))
    return {"mode": "backlog", "sizes": found, "channels": channels}


def by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The arms of one size, with what the baseline placed and this arm did not, and the cost over the baseline's and of seeing a sample."""
    order = list(ARMS)
    arms = {row["arm"]: dict(row) for row in sorted(rows, key=lambda row: order.index(row["arm"]))}
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
        "alone, or with our extender's narrowing filter; looking at a sample of the nodes as it likes, or at every node (-all). A trivial "
        "extender names the first node offered and decides nothing: what it loses is the price of the call. In bursts "
        "the pods come while the scheduler runs, by every channel: narrowing filter, sparse prioritize, both, nomination (with "
        "prioritize), and scheduling gates (with the filter). All arms place the same pods in every round, in an order drawn anew.",
        [
            Plot(
                "Backlog: pods/s over those of the scheduler alone at the same setting, paired by round; above 1 is faster.",
                bars(
                    labels,
                    {arm: [found[arm]["ratio"] for found in sizes.values()] for arm in ours},
                    "ratio",
                    reference=(1.0, "the scheduler alone"),
                ),
            ),
            Plot(
                "Backlog: price of all nodes in use afterwards; lower is cheaper.",
                bars(labels, {arm: [found[arm]["in_use_dollars"] for found in sizes.values()] for arm in arms}, "$/h"),
            ),
            *_channel_plots(data.get("channels") or {}),
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


def _channel_plots(bursts: Mapping[str, Mapping[str, Any]]) -> list[Plot]:
    """What each channel costs and gains on a burst; none where that was not measured."""
    if not bursts:
        return []
    labels = ["{} nodes, {} pods".format(*size.split("/")) for size in bursts]
    ours = [arm for arm in next(iter(bursts.values())) if arm != "stock"]
    series = {
        key: {arm: [found[arm][key] for found in bursts.values()] for arm in ours}
        for key in ("overall_ratio", "cost_over_baseline")
    }
    alone = (1.0, "the scheduler alone")
    return [
        Plot(
            "Burst: pods/s from the first creation to the last binding over those of the scheduler alone; above 1 is faster.",
            bars(labels, series["overall_ratio"], "ratio", reference=alone),
        ),
        Plot(
            "Burst: price of all nodes in use afterwards over that of the scheduler alone; below 1 is cheaper.",
            bars(labels, series["cost_over_baseline"], "ratio", reference=alone),
        ),
    ]


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
    "throughput",
    _measure,
    _section,
    starts_processes=True,
    places=frozenset({PlaceName.SANDBOX, PlaceName.KIND}),
    takes=takes(60, 1820),
    takes_in_kind=takes(180, 900),
)
