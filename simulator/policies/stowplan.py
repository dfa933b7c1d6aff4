"""Our policy: the node where a pod adds least to the bill, in micro-dollars that are expected to be paid for it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from extender.fragments.charge import charged_cs
from extender.lifetimes.occupancy import Occupancy
from extender.lifetimes.standing import Floats
from extender.scoring.expected_cost import (
    OPENING,
    asked_shares_of,
    costs_in_use,
    costs_of_opening,
    free_times,
    hundredths,
)
from simulator.cluster import Cluster, Ints
from simulator.policies.gpu_fragments import GpuFragments
from simulator.policies.policy import Policy, Scores
from simulator.trace import PodRow, PodShape, Trace

_OPENING: Final = float(1 << 53), float(1 << 60)
"""Where the scores of empty nodes begin, without and with GPUs in the cluster: scores are doubles, and up to there they are exact."""


class Stowplan(Policy):
    """The rule of the live extender (`extender.scoring.expected_cost`): the sum of three expectations.

    - Time added: for how long the pod keeps its node in use after the others there are gone (`Occupancy`), at the node's price.
    - Fit: what stays free of CPU and memory, at the node's price (nodes without GPUs).
    - Fragmentation: free GPU that becomes unusable for the mix of pods seen so far, at the GPU's part of the node's price
      (`extender.fragments`).
    A node in use comes before an empty one, but for pods that ask for GPUs on a fixed cluster: there empty nodes stay. All of it is
    learned from pods that came before; nothing is read off the trace.
    """

    def __init__(self, occupancy: Occupancy | None = None) -> None:
        self._occupancy = occupancy or Occupancy()
        self._pods: dict[int, PodRow] = {}
        self._fragments: GpuFragments | None = None
        self._stay = False

    @property
    def static(self) -> bool:
        """While no pod has ended, all are expected to stay."""
        return not self._occupancy.departed_any

    def start(self, cluster: Cluster, trace: Trace, seed: int) -> None:
        """Forget the last simulation."""
        del seed
        self._fragments = GpuFragments(cluster) if cluster.devices else None
        self._stay = not trace.elastic

    def arrived(self, pod: PodRow, now: int) -> None:
        """Learn the mix."""
        del now
        if self._fragments is not None and self._fragments.arrived(pod.shape):
            self.epoch += 1

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """Minus the expected cost; see the class."""
        added = hundredths(self.seconds_added(pod, nodes, now))
        keeps, costs = cluster.residents[nodes] > 0, _in_use(cluster, pod.shape, nodes, added)
        if self._fragments is not None and self._fragments.known:
            gpus, price = cluster.gpu_capacity[nodes] > 0, cluster.price[nodes]
            charged = charged_cs(price, self._fragments.share(pod.shape, nodes), stay=self._stay)
            costs = np.where(gpus, costs_in_use(price, added, charged), costs)
            keeps |= gpus & (self._stay and pod.shape.gpu_count > 0)
        scores = -costs.astype(np.float64)
        if not keeps.all():
            opening = _opening(cluster, pod.shape, nodes[~keeps]) - OPENING
            scores[~keeps] = -(_OPENING[cluster.devices > 0] + opening)
        return scores

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Count the pod to its node."""
        del cluster
        self._changed(slot)
        self._pods[pod.index] = pod
        self._occupancy.place(pod.index, self.path(pod), slot, now, pod.arrival_s)

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Learn how long the pod stayed."""
        del cluster
        self._changed(slot)
        del self._pods[pod.index]
        self._occupancy.depart(pod.index, now)

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """Count the pod to its new node."""
        del cluster
        self._changed(source)
        self._changed(target)
        self._occupancy.move(pod.index, self.path(pod), target, now)

    def seconds_left(self, nodes: Ints, now: int) -> Floats:
        """Expected seconds until the last pod of each node has left."""
        return self._occupancy.seconds_left(nodes, now)

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

    def _changed(self, slot: int) -> None:
        if self._fragments is not None:
            self._fragments.changed(slot)


def owner_of(pod: PodRow) -> tuple[str, str]:
    """Pods of one owner are expected to live alike; a pod without one is its own."""
    return (pod.namespace, pod.owner) if pod.owner else ("", str(pod.index))


def _in_use(cluster: Cluster, shape: PodShape, nodes: Ints, added_cs: Ints) -> Ints:
    """Time added and fit."""
    left = cluster.cpu[nodes] - shape.cpu_millicores, cluster.memory[nodes] - shape.memory_bytes
    free = free_times(left[0], cluster.cpu_capacity[nodes], left[1], cluster.memory_capacity[nodes])
    return costs_in_use(cluster.price[nodes], added_cs, free)


def _opening(cluster: Cluster, shape: PodShape, nodes: Ints) -> Ints:
    """The price of opening an empty node."""
    cpu, memory = cluster.cpu_capacity[nodes], cluster.memory_capacity[nodes]
    asked = asked_shares_of(shape.cpu_millicores, cpu, shape.memory_bytes, memory)
    return costs_of_opening(cluster.price[nodes], asked)
