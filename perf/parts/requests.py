"""What a decision adds to a request, in process."""

from __future__ import annotations

from perf import profiles, requests
from perf.part import Context, Data, Part, takes
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table


def _measure(context: Context) -> Data:
    context.progress.update("reviews and filter calls, in turn with their baseline")
    rows = requests.measure(600 if context.short else 3000)
    context.progress.update("learned sizes looked up, in turn with none")
    return {"rows": rows, "learned": profiles.measure(2000, 1000) if context.short else profiles.measure()}


def _section(data: Data) -> Section:
    rows = data["rows"]
    return Section(
        "Requests in process",
        "A webhook review and an extender filter call, each in turn with its baseline: the same bytes decoded and encoded without a "
        "decision. Processor time, so that others at work on the machine do not count; the network is not in it.",
        [
            Plot(
                "Median time of a request over its baseline.",
                bars(
                    [row["request"] for row in rows],
                    {"stowplan": [row["ratio_p50"] for row in rows]},
                    "times the baseline",
                ),
            )
        ],
        [
            Table(
                "Microseconds of processor time",
                ("request", "p50", "p99", "baseline p50", "ratio"),
                [
                    (
                        row["request"],
                        f"{row['p50_us']:.0f}",
                        f"{row['p99_us']:.0f}",
                        f"{row['baseline_p50_us']:.0f}",
                        f"{row['ratio_p50']:.1f}",
                    )
                    for row in rows
                ],
            ),
            *_learned(data),
        ],
    )


def _learned(data: Data) -> list[Table]:
    """What the look-up of learned sizes adds; results of earlier versions do not have it."""
    if "learned" not in data:
        return []
    learned = data["learned"]
    return [
        Table(
            f"Learned sizes of {learned['workloads']:,} workloads: microseconds added (target: p99 below"
            f" {learned['target_added_p99_us']:.0f})",
            ("what, timed how", "added p50", "added p99"),
            [
                (f"{name}, {kind}", f"{times['added_p50_us']:.0f}", f"{times['added_p99_us']:.0f}")
                for name, label in (("look-ups alone", "look_up"), ("review", "review"))
                for kind, times in learned[label].items()
            ],
        )
    ]


PART = Part("requests", _measure, _section, takes=takes(8, 40))
