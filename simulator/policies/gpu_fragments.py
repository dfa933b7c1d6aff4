"""The simulated cluster as the measure of GPU fragments sees it, and the mix of the pods that arrive."""

from __future__ import annotations

import numpy as np

from extender.fragments.growth import Growth
from extender.fragments.observed_mix import ObservedMix
from extender.fragments.room import Demand, Floats, Ints, Room
from extender.fragments.unusable import PodMix
from simulator.cluster import Cluster
from simulator.trace import GPU_SCALE, PodShape


class GpuFragments:
    """What a policy learns of fragments while pods arrive. The one GPU resource is counted in thousandths of a device."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._mix: ObservedMix[PodShape] = ObservedMix()
        self._growth: Growth | None = None
        self._accepts = np.zeros((0, 0), np.bool_)

    @property
    def known(self) -> bool:
        """Whether a mix was seen, and there are GPUs to share among it."""
        return self._growth is not None

    def arrived(self, shape: PodShape) -> bool:
        """A pod has come; whether fragments are something else from now on."""
        self._mix.see(shape if shape.gpu_count else None)
        if not self._cluster.devices or not self._mix.due:
            return False
        kinds = self._mix.renewed()
        if not kinds:
            return False
        models = [*self._cluster.models, ""]
        self._accepts = np.array(
            [[bool(m) and (not s.gpu_models or m in s.gpu_models) for m in models] for s, _ in kinds], np.bool_
        )
        self._growth = Growth(PodMix.of([(demand_of(s), count) for s, count in kinds]), self._room)
        return True

    def changed(self, slot: int) -> None:
        """What stands on a node has changed."""
        if self._growth is not None:
            self._growth.changed(slot)

    def share(self, shape: PodShape, nodes: Ints) -> Floats:
        """For nodes that take a pod of the shape, the share of their GPUs that becomes unusable with it."""
        if self._growth is None:
            return np.zeros(len(nodes))
        return self._growth.share(demand_of(shape), nodes)

    def _room(self, nodes: Ints) -> Room:
        cluster = self._cluster
        there = np.arange(cluster.devices)[:, None] * GPU_SCALE < cluster.gpu_capacity[nodes]
        return Room(
            cluster.cpu[nodes],
            cluster.memory[nodes],
            cluster.gpu[nodes].T,
            np.where(there, GPU_SCALE, 0),
            np.where(there, 0, -1),
            np.where(there, 1 / GPU_SCALE, 0.0),
            self._accepts[:, cluster.model[nodes]],  # -1, a node without GPUs, is the last one
        )


def demand_of(shape: PodShape) -> Demand:
    """What a pod of the shape asks for."""
    if not shape.gpu_count:
        return Demand(shape.cpu_millicores, shape.memory_bytes)
    return Demand(shape.cpu_millicores, shape.memory_bytes, 0, shape.gpu_total)
