"""First-fit decreasing: largest pods first, each to the first node with room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from extender.binpacking.prices import worth
from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Policy, Scores
from simulator.trace import GPU_SCALE, PodRow, PodShape


class FirstFitDecreasing(Policy):
    """Nodes in use first, then the cheapest, then in the order of the table.

    It may sort the pods that arrive together. Without times that is the whole list, so there it knows all that comes.
    """

    def order(self, pods: Sequence[PodRow]) -> Sequence[PodRow]:
        """By what a pod's requests are worth, largest first; ties as they came."""
        return sorted(pods, key=lambda pod: (-worth_of(pod.shape), pod.index))

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """See the class."""
        del pod, now
        opened = np.where(cluster.residents[nodes] > 0, 0, 1 + cluster.price[nodes])
        return -opened.astype(np.float64)


def worth_of(shape: PodShape) -> int:
    """Micro-dollars an hour of what a pod asks for, at unit prices."""
    gpu = worth("nvidia.com/gpu", shape.gpu_total) // GPU_SCALE
    return worth("cpu", shape.cpu_millicores) + worth("memory", shape.memory_bytes) + gpu
