"""The measure of FGD (Weng et al., "Beware of Fragmentation", USENIX ATC 2023): expected free GPU that is a fragment for the pods of a mix.

Free GPU counts as a fragment for a shape that does not fit at all, or on devices too small for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.cluster import Cluster
from simulator.trace import GPU_SCALE, PodShape

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FreeCapacity:
    """Nodes by what is free on them, one row a node. CPU in millicores, memory in bytes, GPU in thousandths by device."""

    cpu: Ints
    memory: Ints
    gpu: Ints
    model: Ints
    """Position of the node's GPU model in the list the mix was made with; -1 for none."""


@dataclass(frozen=True, slots=True)
class PodMix:
    """Shapes of pods that ask for GPUs, and how often each is seen."""

    weights: Floats
    """Share of each shape; they add up to one."""
    cpu: Ints
    memory: Ints
    count: Ints
    milli: Ints
    milli_values: Ints
    """The different values of `milli`, and for each shape its position there: devices are compared once a value."""
    milli_index: Ints
    allowed: NDArray[np.bool_]
    """Model (the last row: none) x shape: whether the shape accepts it."""

    @staticmethod
    def of(counts: Mapping[PodShape, int], models: Sequence[str]) -> PodMix | None:
        """The mix of some shapes by how often they were seen; None where none of them asks for a GPU."""
        seen = [(shape, count) for shape, count in counts.items() if shape.gpu_count and count > 0]
        if not seen:
            return None
        weights = np.array([count for _, count in seen], np.float64)
        milli = np.array([shape.gpu_milli for shape, _ in seen], np.int64)
        values, index = np.unique(milli, return_inverse=True)
        accepts = [[not shape.gpu_models or name in shape.gpu_models for shape, _ in seen] for name in models]
        return PodMix(
            weights / weights.sum(),
            np.array([shape.cpu_millicores for shape, _ in seen], np.int64),
            np.array([shape.memory_bytes for shape, _ in seen], np.int64),
            np.array([shape.gpu_count for shape, _ in seen], np.int64),
            milli,
            values,
            index.astype(np.int64),
            np.array([*accepts, [False] * len(seen)], np.bool_),
        )


def gradient_fragments(mix: PodMix, nodes: FreeCapacity) -> Floats:
    """Expected fragments by node, in thousandths of a GPU."""
    free, whole, largest = nodes.gpu.sum(1), (nodes.gpu == GPU_SCALE).sum(1), nodes.gpu.max(1)
    device = np.where(mix.milli == GPU_SCALE, whole[:, None] >= mix.count, largest[:, None] >= mix.milli)
    fits = device & (nodes.cpu[:, None] >= mix.cpu) & (nodes.memory[:, None] >= mix.memory) & mix.allowed[nodes.model]
    too_small = nodes.gpu[:, :, None] * (nodes.gpu[:, :, None] < mix.milli_values)
    expected: Floats = np.where(fits, too_small.sum(1)[:, mix.milli_index], free[:, None]) @ mix.weights
    return expected


def growth(mix: PodMix, cluster: Cluster, shape: PodShape, nodes: Ints) -> Floats:
    """How much fragments grow on each node once a pod of the shape is there, on the device where they grow least."""
    before = gradient_fragments(mix, _free_capacity(cluster, nodes))
    if 0 < shape.gpu_milli < GPU_SCALE:
        owner, _, after = _shares(mix, cluster, shape, nodes)
        best = np.full(len(nodes), np.inf)
        np.minimum.at(best, owner, after)
        return best - before
    state = _free_capacity(cluster, nodes)
    whole = state.gpu == GPU_SCALE
    taken = whole & (np.cumsum(whole, 1) <= shape.gpu_count)
    return gradient_fragments(mix, _less(state, shape, np.where(taken, 0, state.gpu))) - before


def best_device(mix: PodMix, cluster: Cluster, shape: PodShape, slot: int) -> int:
    """The device on which fragments grow least for a GPU share."""
    _, devices, after = _shares(mix, cluster, shape, np.array([slot]))
    return int(devices[after.argmin()])


def _free_capacity(cluster: Cluster, nodes: Ints) -> FreeCapacity:
    """What is free on some nodes."""
    return FreeCapacity(cluster.cpu[nodes], cluster.memory[nodes], cluster.gpu[nodes], cluster.model[nodes])


def _shares(mix: PodMix, cluster: Cluster, shape: PodShape, nodes: Ints) -> tuple[Ints, Ints, Floats]:
    """Every different way to put a share on a device: position of the node, device, and the fragments afterwards."""
    gpu = cluster.gpu[nodes]
    owner, device = np.nonzero(gpu >= shape.gpu_milli)
    _, first = np.unique(owner * (GPU_SCALE + 1) + gpu[owner, device], return_index=True)
    owner, device = owner[first], device[first]
    state = _free_capacity(cluster, nodes[owner])
    left = state.gpu.copy()
    left[np.arange(len(owner)), device] -= shape.gpu_milli
    return owner, device, gradient_fragments(mix, _less(state, shape, left))


def _less(state: FreeCapacity, shape: PodShape, gpu: Ints) -> FreeCapacity:
    return FreeCapacity(state.cpu - shape.cpu_millicores, state.memory - shape.memory_bytes, gpu, state.model)
