"""The webhook: through the real API server, and directly."""

from __future__ import annotations

import asyncio
from typing import Any

from perf.admission.measure import CONNECTIONS, directly, through_api_server
from perf.cluster import PlaceName
from perf.part import Context, Data, Part, takes
from perf.report.figures import bars
from perf.report.section import Plot, Section, Table


def _measure(context: Context) -> Data:
    rounds, count, seconds = (3, 300, 2.0) if context.short else (6, 2000, 8.0)
    with context.place(context.scratch / "cluster", context.progress) as cluster:
        context.progress.update("dry-run creates")
        data = {"api_server": asyncio.run(through_api_server(cluster, rounds, count))}
        if cluster.control_plane is not None and cluster.webhook is not None:
            context.progress.update("direct load")
            data["direct"] = directly(cluster.control_plane, cluster.webhook, rounds, seconds, context.scratch)
    return data


_WAYS = {"api_server": "through the API server", "direct": "directly"}


def _section(data: Data) -> Section:
    ways = {name: data[key] for key, name in _WAYS.items() if key in data}
    return Section(
        "Webhook",
        "Through the API server: dry-run creates of pods in a namespace that is opted in and in one that is not. Directly: reviews over "
        f"{CONNECTIONS} kept-alive TLS connections from a second process, against a server of the same stack that allows every review "
        "without a look at it. Rounds alternate.",
        [
            Plot(
                "Requests a second; higher is better.",
                bars(
                    list(ways),
                    {arm: [found[arm]["per_second"] for found in ways.values()] for arm in ("baseline", "stowplan")},
                    "requests/s",
                ),
            )
        ],
        [
            Table(
                "Requests a second, and milliseconds",
                ("way / arm", "requests/s", "p50", "p99", "p99.9", "failures", "throughput ratio"),
                [
                    _row(f"{name} / {arm}", found[arm], found["throughput_ratio"] if arm == "stowplan" else None)
                    for name, found in ways.items()
                    for arm in ("baseline", "stowplan")
                ],
            )
        ],
        (
            "Client, API server and webhook share the machine's cores, so a request that costs more also slows its client.",
        ),
    )


def _row(label: str, load: dict[str, Any], ratio: float | None) -> tuple[str, ...]:
    times = (f"{load[name] / 1000:.2f}" for name in ("p50_us", "p99_us", "p999_us"))
    return (
        label,
        f"{load['per_second']:.0f}",
        *times,
        f"{load['failures']:.0f}",
        "" if ratio is None else f"{ratio:.2f}",
    )


PART = Part(
    "admission",
    _measure,
    _section,
    starts_processes=True,
    places=frozenset(PlaceName),
    takes=takes(35, 240),
    takes_in_kind=takes(100, 220),
)
