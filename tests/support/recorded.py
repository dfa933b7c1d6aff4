"""The demo's trace as input of the simulator: its owners, its nodes, lead-in included."""

from __future__ import annotations

from demo.cluster import node_set
from demo.trace import load_sample
from demo.workload import peak_demand, workloads_of
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from simulator.window import Window

_LEAD_IN_S = 86_400 * 2
"""Moves arrivals of before the window to positive times."""


def demo_trace() -> tuple[Trace, Window]:
    """The demo's workloads pod by pod on its fixed nodes, and the six hours that it measures."""
    workloads = workloads_of(load_sample())
    pods: list[PodRow] = []
    for workload in sorted(workloads, key=lambda w: w.arrival_s):
        for _ in range(workload.replicas):
            pods.append(
                PodRow(
                    len(pods),
                    f"{workload.name}-{len(pods)}",
                    PodShape(workload.cpu_millicores, workload.memory_bytes),
                    workload.name,
                    arrival_s=_LEAD_IN_S + workload.arrival_s,
                    departure_s=None if workload.departure_s is None else _LEAD_IN_S + workload.departure_s,
                )
            )
    nodes = tuple(
        NodeRow(
            node.name,
            node.cpu_millicores,
            node.memory_bytes,
            zone=node.zone,
            price_micro_usd_per_hour=node.price_micro_usd_per_hour,
        )
        for node in node_set(*peak_demand(workloads))
    )
    return Trace(nodes, tuple(pods), timed=True), Window(_LEAD_IN_S, _LEAD_IN_S + 6 * 3600)
