"""Which node type opens for a pod that no open node takes: the same rule for every policy, as an autoscaler's would be."""

from __future__ import annotations

from collections.abc import Sequence

from extender.binpacking.prices import worth
from simulator.trace import GPU_SCALE, NodeRow, PodShape


def kind_to_open(types: Sequence[NodeRow], shape: PodShape, zone: str = "") -> int | None:
    """The type that costs least for what it is worth to such a pod; None where an empty node of no type takes it.

    GPUs of a node are worth nothing to a pod that asks for none. Ties go to the lower price, then to the earlier row.
    """
    fitting = [
        (_price_per_worth(row, shape), row.price_micro_usd_per_hour, kind)
        for kind, row in enumerate(types)
        if fits_empty(row, shape) and (not zone or row.zone == zone)
    ]
    return min(fitting)[2] if fitting else None


def fits_empty(row: NodeRow, shape: PodShape) -> bool:
    """Whether an empty node takes a pod."""
    if shape.gpu_count and (shape.gpu_count > row.gpu_count or shape.gpu_milli > GPU_SCALE):
        return False
    if shape.gpu_count and shape.gpu_models and row.gpu_model not in shape.gpu_models:
        return False
    return row.max_pods >= 1 and row.cpu_millicores >= shape.cpu_millicores and row.memory_bytes >= shape.memory_bytes


def _price_per_worth(row: NodeRow, shape: PodShape) -> int:
    """Micro-dollars a dollar's worth of capacity at unit prices."""
    value = worth("cpu", row.cpu_millicores) + worth("memory", row.memory_bytes)
    if shape.gpu_count:
        value += worth("nvidia.com/gpu", row.gpu_count)
    return row.price_micro_usd_per_hour * 1_000_000 // max(1, value)
