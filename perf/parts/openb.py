"""GPU placement on the openb trace by the published protocol."""

from __future__ import annotations

import statistics
from typing import Any, Final

from perf.part import Context, Data, Part, takes
from perf.report.figures import dots
from perf.report.section import Plot, Section, Table
from perf.simulation import openb

_PUBLISHED_NAMES: Final = {"FGD": "fgd", "DotProd": "dot-product", "Random": "random"}
"""Policies of the published table that are also among ours, by the name they have here."""


def _measure(context: Context) -> Data:
    context.progress.update("one order of arrival" if context.short else "ten orders of arrival")
    return openb.measure(openb.PUBLISHED_SEEDS[:1]) if context.short else openb.measure()


def _section(data: Data) -> Section:
    allocated: dict[str, list[float]] = data["gpu_allocated_percent"]
    best_first = dict(sorted(allocated.items(), key=lambda entry: -statistics.fmean(entry[1])))
    published = {_PUBLISHED_NAMES.get(name, name): value for name, value in data["published_mean_at_100"].items()}
    ahead = data["stowplan_minus_fgd"]
    return Section(
        "GPU trace (openb)",
        f"Share of 6,212 GPUs in use when as much has been asked for, on 1,213 nodes, in {len(data['seeds'])} random "
        f"order(s) of arrival; nothing departs. stowplan is {ahead['mean']:+.2f} points from FGD on the same orders "
        f"(least {ahead['least']:+.2f}).",
        [
            Plot(
                "Each dot is one order of arrival, the bar is the mean, the diamond is the published mean of ten. Right is better.",
                dots(best_first, "GPU allocated, %", marks=published),
            )
        ],
        [
            Table(
                "Allocated GPU in %",
                ("policy", "mean", "least", "published", "seconds"),
                [_row(name, values, published, data) for name, values in best_first.items()],
            ),
            Table(
                "Published at the same point (mean of ten)",
                ("policy", "GPU allocated, %"),
                [(name, f"{value:.1f}") for name, value in data["published_mean_at_100"].items()],
            ),
        ],
    )


def _row(name: str, values: list[float], published: dict[str, float], data: Data) -> tuple[str, ...]:
    known: Any = published.get(name)
    return (
        name,
        f"{statistics.fmean(values):.2f}",
        f"{min(values):.2f}",
        f"{known:.1f}" if known else "",
        f"{data['seconds'][name]:.1f}",
    )


PART = Part("openb", _measure, _section, takes=takes(8, 90))
