"""Our policy: the node where a pod adds least to the bill, in micro-dollars that are expected to be paid for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from extender.lifetimes.occupancy import Occupancy
from extender.lifetimes.standing import Floats
from extender.lifetimes.survival import EDGES
from extender.scoring.expected_cost import (
    asked_shares_of,
    costs_in_use,
    costs_of_opening,
    free_times,
    hundredths,
)
from extender.scoring.fragmentation import Demand, PodMix, unusable
from simulator.cluster import Cluster, Ints
from simulator.policies.gpu_fragments import KeptGrowth, best_device
from simulator.policies.policy import Policy, Scores
from simulator.trace import GPU_SCALE, PodRow, PodShape, Trace

_FIRST_MIX: Final = 32
"""The mix of shapes is taken after so many pods, and again whenever that number has doubled."""
_FRAGMENT_WEIGHT: Final = 200.0
"""How much dearer a GPU that becomes unusable is than one that is only switched on: a cluster that runs full pays for fragments
with pods that find no node. The weight makes the time added a tie-break on nodes with GPUs; chosen on seeds that are not judged."""
_HOUR: Final = 3600


class Stowplan(Policy):
    """The sum of three expectations. The live extender (`extender.scoring.expected_cost`) has the first two only, whatever the node.

    - Time added: for how long the pod keeps its node in use after the others there are gone (`Occupancy`), at the node's price.
    - Fit: what stays free of CPU and memory, at the node's price (nodes without GPUs).
    - Fragmentation: free GPU that becomes unusable for the mix of pods seen so far, at the GPU's part of the node's price.
    A node in use comes before an empty one, but for nodes with GPUs. All of it is learned from pods that came before; nothing is read
    off the trace.
    """

    def __init__(self, occupancy: Occupancy | None = None) -> None:
        self._occupancy = occupancy or Occupancy()
        self._pods: dict[int, PodRow] = {}
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
        del now

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """Minus the expected cost; see the class."""
        added = hundredths(self.seconds_added(pod, nodes, now))
        costs = _without_gpus(cluster, pod.shape, nodes, added)
        if self._fragments is None or not cluster.devices:
            return -costs.astype(np.float64)
        grown = self._fragments.growth(cluster, pod.shape, nodes) / np.maximum(cluster.gpu_capacity[nodes], 1)
        fragments = cluster.price[nodes] * (added + _FRAGMENT_WEIGHT * 100 * EDGES[-1] * grown)
        return -np.where(cluster.gpu_capacity[nodes] > 0, fragments, costs)

    def device(self, cluster: Cluster, shape: PodShape, slot: int) -> int | None:
        """The device where least becomes unusable."""
        if self._mix is None or not 0 < shape.gpu_milli < GPU_SCALE:
            return None
        return best_device(unusable, self._mix, cluster, shape, slot)

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Count the pod to its node."""
        del cluster
        self._pods[pod.index] = pod
        self._occupancy.place(pod.index, self.path(pod), slot, now, pod.arrival_s)

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Learn how long the pod stayed."""
        del cluster, slot
        del self._pods[pod.index]
        self._occupancy.depart(pod.index, now)

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """Count the pod to its new node."""
        del cluster, source
        self._occupancy.move(pod.index, self.path(pod), target, now)

    def hours_left(self, nodes: Ints, now: int) -> Floats:
        """Expected hours until the last pod of each node has left."""
        return self._occupancy.seconds_left(nodes, now) / _HOUR

    def seconds_added(self, pod: PodRow, nodes: Ints, now: int) -> Floats:
        """Expected seconds for which each of some nodes would be in use for this pod alone."""
        return self._occupancy.seconds_added(self.path(pod), nodes, now, now - pod.arrival_s)

    def residents(self, slot: int) -> Sequence[PodRow]:
        """Pods on a node, in the order of the trace."""
        return [self._pods[index] for index in sorted(self._pods.keys() & self._occupancy.residents(slot))]

    def expected_life_s(self, pod: PodRow, now: int) -> float:
        """How long a pod that comes now is expected to stay."""
        return self._occupancy.expected_life_s(self.path(pod), now)

    def path(self, pod: PodRow) -> tuple[Hashable, ...]:
        """What the pod's life is learned by: its shape, then its owner."""
        return (pod.shape, owner_of(pod))


def owner_of(pod: PodRow) -> tuple[str, str]:
    """Pods of one owner are expected to live alike; a pod without one is its own."""
    return (pod.namespace, pod.owner) if pod.owner else ("", str(pod.index))


def _without_gpus(cluster: Cluster, shape: PodShape, nodes: Ints, added_cs: Ints) -> Ints:
    """Time added and fit; for an empty node without GPUs the price of opening it."""
    cpu, memory, price = cluster.cpu_capacity[nodes], cluster.memory_capacity[nodes], cluster.price[nodes]
    left = cluster.cpu[nodes] - shape.cpu_millicores, cluster.memory[nodes] - shape.memory_bytes
    in_use = costs_in_use(price, added_cs, free_times(left[0], cpu, left[1], memory))
    keeps = (cluster.residents[nodes] > 0) | (cluster.gpu_capacity[nodes] > 0)
    if keeps.all():
        return in_use
    asked = asked_shares_of(shape.cpu_millicores, cpu, shape.memory_bytes, memory)
    return np.where(keeps, in_use, costs_of_opening(price, asked))
