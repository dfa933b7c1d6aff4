"""kube-scheduler's LeastAllocated, the default of Kubernetes: spread."""

from __future__ import annotations

from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Policy, Scores, free_share
from simulator.trace import PodRow


class LeastAllocated(Policy):
    """The mean free share of CPU and memory once the pod is there (`noderesources/least_allocated.go`)."""

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """See the class."""
        del now
        cpu = free_share(cluster.cpu, cluster.cpu_capacity, pod.shape.cpu_millicores, nodes)
        return (cpu + free_share(cluster.memory, cluster.memory_capacity, pod.shape.memory_bytes, nodes)) / 2
