"""kube-scheduler's MostAllocated: fill what is full."""

from __future__ import annotations

from simulator.cluster import Cluster, Ints
from simulator.policies.least_allocated import LeastAllocated
from simulator.policies.policy import Scores
from simulator.trace import PodRow


class MostAllocated(LeastAllocated):
    """The mean share in use of CPU and memory once the pod is there (`noderesources/most_allocated.go`)."""

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """See the class."""
        return 1 - super().scores(cluster, pod, nodes, now)
