"""The official scheduler_perf workloads: a stock configuration against ours with the extender."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from perf.part import Context, Data, Part
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table
from perf.scheduler_perf.build import ensure_bench
from perf.scheduler_perf.measure import measure
from perf.scheduler_perf.run import ARMS, SHORT_ARMS, run
from perf.scheduler_perf.workloads import FULL, SHORT
from sandbox.build import ensure_binaries

_CAVEAT: Final = (
    "A scheduling attempt includes binding. The test's API server has no webhook of ours, and its nodes are empty and alike: it measures "
    "pace, not packing."
)


def _measure(context: Context) -> Data:
    etcd = ensure_binaries().path("etcd")
    once = partial(run, ensure_bench(), etcd)
    workloads, arms, rounds = (SHORT, SHORT_ARMS, 1) if context.short else (FULL, ARMS, 2)
    entries = measure(workloads, arms, rounds, once, context.scratch, context.progress.update)
    return {"workloads": {entry["workload"]: entry for entry in entries}}


def _section(data: Data) -> Section:
    workloads: dict[str, Any] = data["workloads"]
    arms = list(next(iter(workloads.values()))["arms"])
    paces = {arm: [entry["arms"][arm]["pods_per_second"] for entry in workloads.values()] for arm in arms}
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


def _row(label: str, values: dict[str, Any]) -> tuple[str, ...]:
    attempt = values["attempt_ms"]
    ratios = tuple("" if values[key] is None else f"{values[key]:.2f}" for key in ("ratio", "ratio_least"))
    return (
        label,
        f"{values['pods_per_second']:.0f}",
        *ratios,
        *(f"{attempt[name]:.1f}" for name in ("p50", "p90", "p99")),
    )


PART = Part("scheduler-perf", _measure, _section, starts_processes=True)
