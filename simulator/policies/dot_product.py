"""The alignment of Tetris (Grandl et al., SIGCOMM 2014): demand times what is free."""

from __future__ import annotations

from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Policy, Scores
from simulator.trace import PodRow


class DotProduct(Policy):
    """Minus the product of demand and free capacity, over CPU, memory and GPU, each as a share of the node.

    As in the published evaluation on the openb trace, where the smaller product wins: a pod goes where least is left of what it needs
    most. Tetris itself takes the larger one, which spreads.
    """

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """See the class."""
        del now
        shape = pod.shape
        cpu = shape.cpu_millicores * (cluster.cpu[nodes] / cluster.cpu_capacity[nodes].clip(1) ** 2.0)
        memory = shape.memory_bytes * (cluster.memory[nodes] / cluster.memory_capacity[nodes].clip(1) ** 2.0)
        gpu = shape.gpu_total * (cluster.gpu_left[nodes] / cluster.gpu_capacity[nodes].clip(1) ** 2.0)
        return -(cpu + memory + gpu)
