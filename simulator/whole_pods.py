"""What no packer can go below even if it may move every pod at every moment: pods cannot be cut. For elastic nodes of one type.

A dual feasible function `u` maps sizes (shares of a node) to numbers such that sizes that fit together on one node map to at most 1 in
sum. So the pods present at a moment need at least the sum of theirs in nodes, rounded up. Used here (Fekete and Schepers, "New classes of
fast lower bounds for bin packing problems", Mathematical Programming 91, 2001):

- `u_k(x) = floor((k + 1) x) / k`, and `x` itself where `(k + 1) x` is whole: sees what whole sizes leave over on every node;
- `U_e(x) = 1` above `1 - e`, 0 below `e`, and `x` between: sees that two large pods do not share a node.

At each moment the largest counts, of all these functions over CPU and over memory, and of pod slots.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from simulator.bounds import LowerBound, placeable
from simulator.cluster import Ints
from simulator.meter import SECONDS_PER_HOUR
from simulator.trace import PodShape, Trace
from simulator.window import Window

_MOST_COPIES: Final = 100
"""The largest `k`: with more pods on a node than this, little is left over."""


def whole_pod_bound(trace: Trace, window: Window) -> LowerBound:
    """The bound over a window; never below `simulator.bounds.lower_bound` but for GPUs, which it does not see.

    Raises:
        ValueError: the trace has fixed nodes, or several types of them.
    """
    if not trace.elastic or len(trace.nodes) != 1:
        raise ValueError(
            f"nodes: {len(trace.nodes)} rows, elastic={trace.elastic}; the bound of whole pods is for elastic nodes of one type"
        )
    kind = trace.nodes[0]
    times, shapes, counts = _present(trace, window)
    nodes = -(-counts.sum(1) // kind.max_pods)
    for capacity, sizes in (
        (kind.cpu_millicores, [shape.cpu_millicores for shape in shapes]),
        (kind.memory_bytes, [shape.memory_bytes for shape in shapes]),
    ):
        for values, unit in _dual_feasible(np.array(sizes, np.int64), capacity):
            nodes = np.maximum(nodes, -(-(counts @ values) // unit))
    seconds = np.diff(np.append(times, window.end_s))
    price_seconds = int((nodes * seconds).sum()) * kind.price_micro_usd_per_hour
    return LowerBound(
        int(nodes.max(initial=0)),
        price_seconds // max(1, window.end_s - window.begin_s),
        price_seconds // SECONDS_PER_HOUR,
    )


def _dual_feasible(sizes: Ints, capacity: int) -> Iterator[tuple[Ints, int]]:
    """Functions of the sizes, as integers over a common unit."""
    for copies in range(1, _MOST_COPIES + 1):
        scaled = (copies + 1) * sizes
        yield np.where(scaled % capacity == 0, copies * sizes, scaled // capacity * capacity), copies * capacity
    for least in {0, *(size for size in sizes.tolist() if 2 * size <= capacity)}:
        yield np.where(sizes > capacity - least, capacity, np.where(sizes < least, 0, sizes)), capacity


def _present(trace: Trace, window: Window) -> tuple[Ints, list[PodShape], Ints]:
    """Moments in the window at which pods come or go, the shapes, and how many pods of each (columns) stand from then on (rows)."""
    numbers: dict[PodShape, int] = {}
    changes: list[tuple[int, int, int]] = []
    for pod in placeable(trace):
        shape = numbers.setdefault(pod.shape, len(numbers))
        changes.append((pod.arrival_s, shape, 1))
        if pod.departure_s is not None:
            changes.append((max(pod.departure_s, pod.arrival_s), shape, -1))
    table = np.array(changes, np.int64).reshape(-1, 3)
    table[:, 0] = np.clip(table[:, 0], window.begin_s, None)
    table = table[table[:, 0] < window.end_s]
    times, position = np.unique(np.append(table[:, 0], window.begin_s), return_inverse=True)
    steps = np.zeros((len(times), len(numbers)), np.int64)
    np.add.at(steps, (position[:-1], table[:, 1]), table[:, 2])
    return times, list(numbers), np.cumsum(steps, 0)
