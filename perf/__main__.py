"""`python -m perf`: measure, print tables, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perf import packing, requests

console = Console()


def main() -> None:
    """Run the suite; results go to `OUTPUT/results.json`."""
    parser = argparse.ArgumentParser(prog="python -m perf", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/perf"), help="directory of the results")
    parser.add_argument("--short", action="store_true", help="fewer seeds and sizes, about a minute")
    arguments = parser.parse_args()
    seeds = range(1, 3 if arguments.short else 9)
    with console.status("packing: the plan against packers without one"):
        packed = packing.summary(packing.measure(packing.SHORT_SIZES if arguments.short else packing.SIZES, seeds))
    _show_packing(packed)
    with console.status("requests: what a decision adds to decoding and encoding"):
        timed = requests.measure()
    _show_requests(timed)
    results = {
        "schema_version": 1,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "seeds": list(seeds),
        "packing": packed,
        "requests": timed,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "results.json"
    path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    console.print(f"results  {path}")


def _show_packing(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Price of newly opened nodes, relative to most-allocated")
    names = {"least-allocated": "least", "most-allocated": "most", "first-fit-decreasing": "ffd", "plan": "plan"}
    for column in ("pods / nodes", "seeds", *names.values(), "left", "gap", "time"):
        table.add_column(column, justify="left" if column == "pods / nodes" else "right", no_wrap=True)
    for row in rows:
        relative = row["opened_relative_to_most_allocated_permille"]
        table.add_row(
            row["instance"],
            str(row["seeds"]),
            *(f"{relative[name] / 1000:.2f}" for name in names),
            str(row["unplaced"]["plan"]),
            f"{row['gap_permille_mean'] / 10:.1f} %",
            f"{row['plan_ms_max']} ms",
        )
    console.print(table)


def _show_requests(rows: list[dict[str, Any]]) -> None:
    table = Table(title="In-process cost of a request; the baseline decodes and encodes the same bytes")
    for column in ("request", "p50", "p99", "baseline p50", "ratio"):
        table.add_column(column, justify="left" if column == "request" else "right")
    for row in rows:
        table.add_row(
            row["request"],
            f"{row['p50_us']:.0f} µs",
            f"{row['p99_us']:.0f} µs",
            f"{row['baseline_p50_us']:.0f} µs",
            f"{row['ratio_p50']:.1f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
