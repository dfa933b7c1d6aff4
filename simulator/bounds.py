"""What no packer can go below: each resource by itself, cut into as small pieces as one likes, on the cheapest nodes for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.cluster import Ints
from simulator.meter import SECONDS_PER_HOUR
from simulator.opening import fits_empty
from simulator.trace import GPU_SCALE, NodeRow, PodRow, Trace
from simulator.window import Window


@dataclass(frozen=True, slots=True)
class LowerBound:
    """Proven for any placement of all pods that fit on an empty node; see the module. Money in micro-dollars."""

    nodes_used: int
    cost_micro_usd_per_hour: int
    node_hours_micro_usd: int


def lower_bound(trace: Trace, window: Window) -> LowerBound:
    """The bound for a trace over a window: the largest over CPU, memory, GPU and pod slots at each moment."""
    pods = placeable(trace)
    times, demand = _demand(pods, window)
    lengths = np.diff(np.append(times, window.end_s))
    cost = np.zeros(len(times))
    nodes = np.zeros(len(times))
    for resource, capacities in enumerate(zip(*(_amounts(row) for row in trace.nodes), strict=True)):
        capacity = np.array(capacities, np.float64)
        prices = np.array([row.price_micro_usd_per_hour for row in trace.nodes], np.float64)
        cost = np.maximum(cost, _cheapest(capacity, prices, demand[:, resource], elastic=trace.elastic))
        count = _cheapest(capacity, np.ones(len(capacity)), demand[:, resource], elastic=trace.elastic)
        nodes = np.maximum(nodes, count)
    total = float((cost * lengths).sum())
    return LowerBound(
        int(np.ceil(nodes.max(initial=0) - 1e-9)),
        int(total / max(1, window.end_s - window.begin_s)),
        int(total / SECONDS_PER_HOUR),
    )


def placeable(trace: Trace) -> list[PodRow]:
    """The pods that fit on an empty node of some kind."""
    known: dict[object, bool] = {}
    for pod in trace.pods:
        if pod.shape not in known:
            known[pod.shape] = any(fits_empty(row, pod.shape) for row in trace.nodes)
    return [pod for pod in trace.pods if known[pod.shape]]


def _amounts(row: NodeRow) -> tuple[int, int, int, int]:
    return (row.cpu_millicores, row.memory_bytes, row.gpu_count * GPU_SCALE, row.max_pods)


def _demand(pods: list[PodRow], window: Window) -> tuple[Ints, Ints]:
    """Moments in the window at which the demand changes, and the demand from then on."""
    changes: list[tuple[int, ...]] = []
    for pod in pods:
        shape = pod.shape
        amounts = (shape.cpu_millicores, shape.memory_bytes, shape.gpu_total, 1)
        changes.append((pod.arrival_s, *amounts))
        if pod.departure_s is not None:
            changes.append((max(pod.departure_s, pod.arrival_s), *(-amount for amount in amounts)))
    table = np.array(changes, np.int64).reshape(-1, 5)
    table[:, 0] = np.clip(table[:, 0], window.begin_s, None)
    table = table[table[:, 0] < window.end_s]
    times, position = np.unique(np.append(table[:, 0], window.begin_s), return_inverse=True)
    steps = np.zeros((len(times), 4), np.int64)
    np.add.at(steps, position[:-1], table[:, 1:])
    return times, np.cumsum(steps, 0)


def _cheapest(
    capacity: NDArray[np.float64], prices: NDArray[np.float64], demand: Ints, *, elastic: bool
) -> NDArray[np.float64]:
    """Least price for an amount of one resource, nodes cut into pieces."""
    useful = capacity > 0
    if not useful.any():
        return np.zeros(len(demand))
    unit = prices[useful] / capacity[useful]
    if elastic:
        return np.asarray(demand * unit.min(), np.float64)
    order = np.argsort(unit, kind="stable")
    held = np.concatenate([[0.0], np.cumsum(capacity[useful][order])])
    paid = np.concatenate([[0.0], np.cumsum(prices[useful][order])])
    return np.asarray(np.interp(demand, held, paid), np.float64)
