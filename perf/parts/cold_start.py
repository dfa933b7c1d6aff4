"""A start beside a large cluster."""

from __future__ import annotations

from typing import Any

from perf.cold_start.measure import measure
from perf.part import Context, Data, Part, takes
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table


def _measure(context: Context) -> Data:
    nodes, pods, seconds = (500, 2000, 3.0) if context.short else (5000, 150_000, 20.0)
    return measure(nodes, pods, seconds, context.scratch, context.progress.update)


def _section(data: Data) -> Section:
    arms: dict[str, Any] = data["arms"]
    roles = sorted({name for arm in arms.values() for name in arm["memory_mib"]} - {"total"})
    return Section(
        "Cold start",
        f"The extender starts beside an API server that holds {data['nodes']:,} nodes and {data['pods']:,} pods. Then it filters all "
        "nodes again and again, one call after the other, while ten pods a second come, which the planner plans, and ten go. A client that "
        f"only reads the same lists, page by page, needed {data['read_seconds']:.1f} s.",
        [
            Plot(
                "Memory by process (proportional set size), the larger of after the start and after the calls.",
                bars(list(arms), {r: [arm["memory_mib"].get(r, 0) for arm in arms.values()] for r in roles}, "MiB"),
            )
        ],
        [
            Table(
                "Start and answers",
                ("arm", "synced, s", "memory, MiB", "calls/s", "p50 ms", "p99 ms"),
                [_row(name, arm) for name, arm in arms.items()],
            )
        ],
        ("Times of calls are the client's: encoding, loopback and the wait for a processor are in them.",),
    )


def _row(name: str, arm: dict[str, Any]) -> tuple[str, ...]:
    calls = arm["filter"]
    return (
        name,
        f"{arm['synced_seconds']:.1f}",
        str(arm["memory_mib"]["total"]),
        f"{calls['per_second']:.0f}",
        f"{calls['p50_us'] / 1000:.2f}",
        f"{calls['p99_us'] / 1000:.2f}",
    )


PART = Part("cold-start", _measure, _section, starts_processes=True, takes=takes(27, 420))
