"""`python -m perf.throughput`: start a control plane, let every arm place the same pods in turn, print ratios, write JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perf.throughput.arms import ARMS, DEFAULT, Load, arms_named
from perf.throughput.burst import clean, run
from perf.throughput.stage import stage
from perf.throughput.summary import Row, as_json, row, summary
from perf.throughput.workload import Cluster, cluster, pods
from sandbox.control_plane import ControlPlane

console = Console(width=None if sys.stdout.isatty() else 120)


Said = Callable[[str], None]


def measure(nodes: int, loads: Sequence[Load], said: Said, *, seed: int = 1) -> list[list[Row]]:
    """For each load one row for each arm and round, all on one cluster.

    Args:
        nodes: of the cluster.
        loads: one after the other.
        said: takes a line for each arm and round.
        seed: of nodes, pods and the order of the arms.
    """
    made = cluster(nodes, seed)
    with tempfile.TemporaryDirectory(prefix="stowplan-throughput-") as folder, stage(Path(folder), made) as plane:
        return [_rows(plane, made, load, said, seed) for load in loads]


def _rows(plane: ControlPlane, made: Cluster, load: Load, said: Said, seed: int) -> list[Row]:
    """The arms of a round come in an order of their own, so that none is always first."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    rows: list[Row] = []
    for number in range(load.rounds):
        for arm in chance.sample(load.arms, len(load.arms)):
            name = f"r{number}-{arm.name}" if load.backlog else f"burst-r{number}-{arm.name}"
            manifests = pods(load.pods, seed + number, name, gated=arm.gated)
            burst = asyncio.run(run(plane, arm, manifests, backlog=load.backlog))
            rows.append(row(arm, number, made, load.pods, burst))
            said(f"round {number} {arm.name}: {rows[-1].placed} placed, {rows[-1].pods_per_second} pods/s")
            asyncio.run(clean(plane))
    return rows


def main() -> None:
    """Measure by the command line; results go to `OUTPUT/throughput-NODES.json`."""
    arguments = _arguments()
    arms = arms_named(arguments.arms)
    backlog = not arguments.burst
    load = Load(arguments.pods, arguments.rounds, arms, backlog)
    (rows,) = measure(arguments.nodes, [load], console.print, seed=arguments.seed)
    summaries = summary(rows)
    _show(summaries)
    results = {
        "schema_version": 1,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "mode": "backlog" if backlog else "burst",
        "seed": arguments.seed,
        "summary": summaries,
        "rows": as_json(rows),
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"throughput-{results['mode']}-{arguments.nodes}.json"
    path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    console.print(f"results  {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m perf.throughput", description=__doc__)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--pods", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(DEFAULT), help=f"out of {', '.join(ARMS)}")
    parser.add_argument("--burst", action="store_true", help="create pods while the scheduler runs, not before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("build/perf"), help="directory of the results")
    return parser.parse_args()


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(title=f"{rows[0]['pods']} pods on {rows[0]['nodes']} nodes; the ratio is paired, round by round")
    for column in (
        "arm",
        "placed",
        "pods/s",
        "ratio",
        "least",
        "all/s",
        "ratio",
        "wait p50",
        "wait p99",
        "opened",
        "in use",
    ):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for one in rows:
        table.add_row(
            one["arm"],
            str(one["placed"]),
            f"{one['pods_per_second']:.0f}",
            f"{one['ratio']:.2f}" if one["ratio"] else "",
            f"{one['ratio_least']:.2f}" if one["ratio_least"] else "",
            f"{one['overall_per_second']:.0f}",
            f"{one['overall_ratio']:.2f}" if one["overall_ratio"] else "",
            f"{one['wait_p50_ms']:.0f} ms",
            f"{one['wait_p99_ms']:.0f} ms",
            f"${one['opened_dollars']:.2f}",
            f"${one['in_use_dollars']:.2f}",
        )
    console.print(table)
    for one in rows:
        for title, key in (("processor", "cpu_us_per_pod"), ("waiting for one", "queued_us_per_pod")):
            parts = ", ".join(f"{name} {used / 1000:.1f}" for name, used in one[key].items() if used)
            console.print(f"{one['arm']}: {title}, ms per pod: {parts}", soft_wrap=True)


if __name__ == "__main__":
    main()
