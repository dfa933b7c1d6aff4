"""Scores by a measure of GPU fragmentation: FGD with its own, and with the one that our policy uses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from extender.scoring.fragmentation import FreeCapacity, PodMix
from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Scores
from simulator.trace import GPU_SCALE, PodShape

Measure = Callable[[PodMix, FreeCapacity], Scores]


class KeptGrowth:
    """Growth by shape and node, kept as long as a node does not change: for policies whose other terms change with time."""

    def __init__(self, measure: Measure, mix: PodMix) -> None:
        self._measure, self._mix = measure, mix
        self._kept: dict[PodShape, Scores] = {}
        self._read: dict[PodShape, int] = {}

    def growth(self, cluster: Cluster, shape: PodShape, nodes: Ints) -> Scores:
        """As the function of this name; nodes must take the shape."""
        kept = self._kept.get(shape, np.full(0, np.nan))
        if len(kept) < cluster.slots:
            kept = np.concatenate([kept, np.full(cluster.slots - len(kept), np.nan)])
        kept[np.array(cluster.changes[self._read.get(shape, 0) :], np.int64)] = np.nan
        missing = nodes[np.isnan(kept[nodes])]
        if len(missing):
            kept[missing] = growth(self._measure, self._mix, cluster, shape, missing)
        self._kept[shape], self._read[shape] = kept, len(cluster.changes)
        values: Scores = kept[nodes]
        return values


def growth(measure: Measure, mix: PodMix, cluster: Cluster, shape: PodShape, nodes: Ints) -> Scores:
    """How much a measure grows on each node once a pod of the shape is there, on the device where it grows least."""
    before = measure(mix, free_capacity(cluster, nodes))
    if 0 < shape.gpu_milli < GPU_SCALE:
        owner, _, after = _shares(measure, mix, cluster, shape, nodes)
        best = np.full(len(nodes), np.inf)
        np.minimum.at(best, owner, after)
        return best - before
    state = free_capacity(cluster, nodes)
    whole = state.gpu == GPU_SCALE
    taken = whole & (np.cumsum(whole, 1) <= shape.gpu_count)
    return measure(mix, _less(state, shape, np.where(taken, 0, state.gpu))) - before


def best_device(measure: Measure, mix: PodMix, cluster: Cluster, shape: PodShape, slot: int) -> int:
    """The device on which a measure grows least for a GPU share."""
    _, devices, after = _shares(measure, mix, cluster, shape, np.array([slot]))
    return int(devices[after.argmin()])


def free_capacity(cluster: Cluster, nodes: Ints) -> FreeCapacity:
    """What is free on some nodes."""
    return FreeCapacity(cluster.cpu[nodes], cluster.memory[nodes], cluster.gpu[nodes], cluster.model[nodes])


def _shares(measure: Measure, mix: PodMix, cluster: Cluster, shape: PodShape, nodes: Ints) -> tuple[Ints, Ints, Scores]:
    """Every different way to put a share on a device: position of the node, device, and the measure afterwards."""
    gpu = cluster.gpu[nodes]
    owner, device = np.nonzero(gpu >= shape.gpu_milli)
    _, first = np.unique(owner * (GPU_SCALE + 1) + gpu[owner, device], return_index=True)
    owner, device = owner[first], device[first]
    state = free_capacity(cluster, nodes[owner])
    left = state.gpu.copy()
    left[np.arange(len(owner)), device] -= shape.gpu_milli
    return owner, device, measure(mix, _less(state, shape, left))


def _less(state: FreeCapacity, shape: PodShape, gpu: Ints) -> FreeCapacity:
    return FreeCapacity(state.cpu - shape.cpu_millicores, state.memory - shape.memory_bytes, gpu, state.model)
