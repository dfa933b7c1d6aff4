"""Our policy: the node where a pod adds least to the bill, in micro-dollars that are expected to be paid for it."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from extender.scoring.fragmentation import Demand, PodMix, unusable
from simulator.cluster import Cluster, Ints
from simulator.policies.gpu_fragments import KeptGrowth, best_device
from simulator.policies.occupancy import HORIZON_HOURS, Occupancy
from simulator.policies.policy import Policy, Scores, free_share
from simulator.trace import GPU_SCALE, PodRow, PodShape, Trace

_FIT_HOURS: Final = 0.5
"""For how many hours capacity that stays free on the chosen node is charged: the weight of best fit."""
_FIRST_MIX: Final = 32
"""The mix of shapes is taken after so many pods, and again whenever that number has doubled."""
_FRAGMENT_WEIGHT: Final = 200.0
"""How much dearer a GPU that becomes unusable is than one that is only switched on: a cluster that runs full pays for fragments
with pods that find no node. The weight makes the time added a tie-break on nodes with GPUs; chosen on seeds that are not judged."""


class Stowplan(Policy):
    """The sum of three expectations.

    - Time added: the seconds for which the pod keeps its node in use after the others there are gone (`Occupancy`), at the node's price.
    - Fit: what stays free of CPU and memory, at the node's price (nodes without GPUs).
    - Fragmentation: free GPU that becomes unusable for the mix of pods seen so far, at the GPU's part of the node's price.
    All of it is learned from pods that came before; nothing is read off the trace.
    """

    def __init__(self, occupancy: Occupancy | None = None) -> None:
        self._occupancy = occupancy or Occupancy()
        self._counts: Counter[Demand] = Counter()
        self._mix: PodMix | None = None
        self._fragments: KeptGrowth | None = None
        self._next_mix = _FIRST_MIX

    @property
    def static(self) -> bool:
        """While no pod has ended, all are expected to stay."""
        return not self._occupancy.departed_any

    def start(self, cluster: Cluster, trace: Trace, seed: int) -> None:
        """Forget the last simulation."""
        del trace, seed
        self._cluster = cluster

    def arrived(self, pod: PodRow, now: int) -> None:
        """Learn the mix and the batch sizes."""
        self._counts[pod.shape] += 1
        if self._counts.total() >= self._next_mix:
            self._next_mix *= 2
            self._mix = PodMix.of(self._counts, self._cluster.models)
            self._fragments = None if self._mix is None else KeptGrowth(unusable, self._mix)
            self.epoch += 1
        self._occupancy.arrive(pod, now)

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """Minus the expected cost; see the class."""
        added = self._occupancy.hours_added(cluster, pod, nodes, now)
        if self._fragments is None or not cluster.devices:
            return -cluster.price[nodes] * (added + _FIT_HOURS * _leftover(cluster, pod.shape, nodes))
        with_gpu = cluster.gpu_capacity[nodes] > 0
        fit = np.where(with_gpu, 0.0, _FIT_HOURS * _leftover(cluster, pod.shape, nodes))
        grown = self._fragments.growth(cluster, pod.shape, nodes) / np.maximum(cluster.gpu_capacity[nodes], 1)
        fragments = np.where(with_gpu, _FRAGMENT_WEIGHT * HORIZON_HOURS * grown, 0.0)
        return -cluster.price[nodes] * (added + fit + fragments)

    def device(self, cluster: Cluster, shape: PodShape, slot: int) -> int | None:
        """The device where least becomes unusable."""
        if self._mix is None or not 0 < shape.gpu_milli < GPU_SCALE:
            return None
        return best_device(unusable, self._mix, cluster, shape, slot)

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Count the pod to its node."""
        self._occupancy.place(cluster, pod, slot, now)

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Learn how long the pod stayed."""
        del cluster
        self._occupancy.depart(pod, slot, now)

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """Count the pod to its new node."""
        self._occupancy.move(cluster, pod, source, target, now)


def _leftover(cluster: Cluster, shape: PodShape, nodes: Ints) -> Scores:
    """The share of a node that stays free: the larger of CPU and memory counts three quarters, as what is free of one alone strands."""
    cpu = free_share(cluster.cpu, cluster.cpu_capacity, shape.cpu_millicores, nodes)
    memory = free_share(cluster.memory, cluster.memory_capacity, shape.memory_bytes, nodes)
    share: Scores = (3 * np.maximum(cpu, memory) + np.minimum(cpu, memory)) / 4
    return share
