"""Which node type opens for a pod that no open node takes: the same rule for every policy, as an autoscaler's would be."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.trace import GPU_SCALE, NodeRow, PodShape


def kind_to_open(types: Sequence[NodeRow], shape: PodShape, zone: str = "") -> int | None:
    """The type on which such a pod costs least where they fill the node; None where an empty node of no type takes it.

    Ties go to the lower price, then to the earlier row.
    """
    fitting = [
        (_price_per_pod(row, shape), row.price_micro_usd_per_hour, kind)
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


def _price_per_pod(row: NodeRow, shape: PodShape) -> int:
    """Micro-dollars an hour for a thousand such pods."""
    copies = row.max_pods
    for offered, asked in (
        (row.cpu_millicores, shape.cpu_millicores),
        (row.memory_bytes, shape.memory_bytes),
        (row.gpu_count * GPU_SCALE, shape.gpu_total),
    ):
        if asked:
            copies = min(copies, offered // asked)
    return row.price_micro_usd_per_hour * 1000 // copies
