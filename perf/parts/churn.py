"""Pods that come and go, through webhook, scheduler and extender."""

from __future__ import annotations

import asyncio

from perf.churn.measure import LIFE_S, measure
from perf.cluster import PlaceName
from perf.in_kind.own_nodes import keep_apart
from perf.part import Context, Data, Part, Profile, takes
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table


def _measure(context: Context) -> Data:
    nodes, rounds, pace, seconds = (100, 1, 10.0, 15.0) if context.short else (500, 3, 20.0, 30.0)
    with context.place(context.scratch / "cluster", context.progress) as cluster:
        if cluster.kind is not None:
            keep_apart(cluster.kind)
        return asyncio.run(measure(cluster.connection, nodes, rounds, pace, seconds, context.progress.update))


_ARMS = {"baseline": "default scheduler", "stowplan": "stowplan"}


def _section(data: Data) -> Section:
    return Section(
        "Churn",
        f"On {data['nodes']} nodes that KWOK plays {data['pace']:.0f} pods a second are created, and deleted {LIFE_S:.0f} s later: in a "
        "namespace that is opted in (webhook, stowplan-scheduler, extender), and the same pods with the same requests in one that is not. "
        "Waits are from a pod's first event to the one that shows its node.",
        [
            Plot(
                "Wait of a pod for its node; lower is better.",
                bars(
                    list(_ARMS.values()),
                    {key: [data[arm][f"wait_{key}_ms"] for arm in _ARMS] for key in ("p50", "p99")},
                    "ms",
                ),
            )
        ],
        [
            Table(
                "Medians over the rounds",
                ("arm", "created", "placed", "pods/s", "p50 ms", "p99 ms"),
                [
                    (
                        name,
                        f"{data[arm]['created']:.0f}",
                        f"{data[arm]['placed']:.0f}",
                        f"{data[arm]['per_second']:.1f}",
                        f"{data[arm]['wait_p50_ms']:.1f}",
                        f"{data[arm]['wait_p99_ms']:.1f}",
                    )
                    for arm, name in _ARMS.items()
                ],
            )
        ],
    )


PART = Part(
    "churn",
    _measure,
    _section,
    starts_processes=True,
    places=frozenset({PlaceName.SANDBOX, PlaceName.KIND}),
    profiles=frozenset({Profile.FULL}),
    takes=takes(80, 390),
    takes_in_kind=takes(140, 390),
)
