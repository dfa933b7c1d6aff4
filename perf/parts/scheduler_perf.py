"""The official scheduler_perf workloads: a stock configuration against ours with the extender."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from perf.part import Context, Data, Part, takes
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table
from perf.scheduler_perf.build import ensure_bench
from perf.scheduler_perf.measure import Case, measure
from perf.scheduler_perf.run import ARMS, SHORT_ARMS, run
from perf.scheduler_perf.workloads import BASIC, FURTHER, SHORT
from sandbox.build import ensure_binaries

_CAVEAT: Final = (
    "A scheduling attempt includes binding. The test's API server has no webhook of ours, and its nodes are empty and alike: it measures "
    "pace, not packing."
)


_SHORT: Final = tuple(Case(workload, SHORT_ARMS, 1) for workload in SHORT)
_FULL: Final = (
    *(Case(workload, ARMS, 2) for workload in BASIC),
    *(Case(workload, [arm for arm in ARMS if not arm.trivial], 1) for workload in FURTHER),
)
"""What the call itself costs, the trivial extender shows on the basic workloads."""


def _measure(context: Context) -> Data:
    etcd = ensure_binaries().path("etcd")
    once = partial(run, ensure_bench(), etcd)
    found: dict[str, Any] = {}
    for entry in measure(_SHORT if context.short else _FULL, once, context.scratch, context.progress.update):
        found[entry["workload"]] = entry
        context.keep({"workloads": found})
    return {"workloads": found}


def _section(data: Data) -> Section:
    workloads: dict[str, Any] = data["workloads"]
    arms = list(next(iter(workloads.values()))["arms"])
    paces = {arm: [_pace(entry["arms"].get(arm)) for entry in workloads.values()] for arm in arms}
    return Section(
        "scheduler_perf",
        "Kubernetes' own throughput test, run from its module: its workloads, its API server, its sampling of throughput. The arms "
        "take turns; ours runs with the extender as a second process, watching that API server.",
        [
            Plot(
                "Pods scheduled a second (average of the samples of each second); the ratio is in the table.",
                bars(list(workloads), paces, "pods/s"),
            )
        ],
        [
            Table(
                "Throughput, and milliseconds of a scheduling attempt by the scheduler's histogram",
                ("workload / arm", "pods/s", "ratio", "least", "attempt p50", "p90", "p99"),
                [
                    _row(f"{name} / {arm}", values)
                    for name, entry in workloads.items()
                    for arm, values in entry["arms"].items()
                ],
            )
        ],
        (_CAVEAT,),
    )


def _pace(arm: dict[str, Any] | None) -> float | None:
    """None where the arm was not run."""
    return None if arm is None else float(arm["pods_per_second"])


def _row(label: str, values: dict[str, Any]) -> tuple[str, ...]:
    attempt = values["attempt_ms"]
    ratios = tuple("" if values[key] is None else f"{values[key]:.2f}" for key in ("ratio", "ratio_least"))
    return (
        label,
        f"{values['pods_per_second']:.0f}",
        *ratios,
        *(f"{attempt[name]:.1f}" for name in ("p50", "p90", "p99")),
    )


PART = Part("scheduler-perf", _measure, _section, starts_processes=True, takes=takes(60, 1500))
