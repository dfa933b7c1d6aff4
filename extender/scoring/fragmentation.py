"""GPU fragmentation over a mix of pods: how much of a node's free GPU the pods that come can still use.

Two measures of the same state. `gradient_fragments` is the measure of FGD (Weng et al., "Beware of Fragmentation", USENIX ATC
2023): free GPU counts as a fragment for a shape that does not fit at all, or on devices too small for it. `unusable` is ours: it
fills the node with copies of one shape, so CPU and memory that run out before the GPUs do count as well, and takes the cube root
of the share that was filled: the first copies matter most, because other shapes fill the rest. Both are expectations over the mix.

The simulator's policies go by them; the live extender does not yet (docs/simulate.md, "GPU fragments in the live extender").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_WHOLE = 1000


class Demand(Protocol):
    """What a pod asks of a node, as fragmentation sees it. GPU is thousandths of each device."""

    @property
    def cpu_millicores(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def memory_bytes(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def gpu_count(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def gpu_milli(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def gpu_models(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says it


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
    def of(counts: Mapping[Demand, int], models: Sequence[str]) -> PodMix | None:
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
    """Expected fragments of FGD by node, in thousandths of a GPU."""
    free, whole, largest = nodes.gpu.sum(1), (nodes.gpu == _WHOLE).sum(1), nodes.gpu.max(1)
    device = np.where(mix.milli == _WHOLE, whole[:, None] >= mix.count, largest[:, None] >= mix.milli)
    fits = device & (nodes.cpu[:, None] >= mix.cpu) & (nodes.memory[:, None] >= mix.memory) & mix.allowed[nodes.model]
    too_small = nodes.gpu[:, :, None] * (nodes.gpu[:, :, None] < mix.milli_values)
    expected: Floats = np.where(fits, too_small.sum(1)[:, mix.milli_index], free[:, None]) @ mix.weights
    return expected


def unusable(mix: PodMix, nodes: FreeCapacity) -> Floats:
    """Expected free GPU that copies of one shape leave, by node, in thousandths of a GPU; see the module."""
    free, whole = nodes.gpu.sum(1), (nodes.gpu == _WHOLE).sum(1)
    shares = (nodes.gpu[:, :, None] // mix.milli_values).sum(1)[:, mix.milli_index]
    copies = np.where(mix.milli == _WHOLE, whole[:, None] // mix.count, shares)
    for free_amount, asked in ((nodes.cpu, mix.cpu), (nodes.memory, mix.memory)):
        copies = np.where(asked > 0, np.minimum(copies, free_amount[:, None] // np.maximum(asked, 1)), copies)
    filled = np.where(mix.allowed[nodes.model], copies * mix.milli * mix.count, 0)
    share = np.cbrt(filled / np.maximum(free, 1)[:, None])
    expected: Floats = free - free * (share @ mix.weights)
    return expected
