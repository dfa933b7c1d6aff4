"""FGD (Weng et al., USENIX ATC 2023): the node whose GPU fragmentation grows least."""

from __future__ import annotations

from collections import Counter
from typing import Final

from simulator.cluster import Cluster, Ints
from simulator.policies.gradient_fragments import PodMix, best_device, growth
from simulator.policies.policy import Policy, Scores, free_share
from simulator.trace import GPU_SCALE, PodRow, PodShape, Trace

_TIE: Final = 1e-3
"""Thousandths of a GPU that a whole free node weighs: breaks ties, decides nothing else."""


class FragmentationGradientDescent(Policy):
    """Fragmentation over the mix of the whole trace, which it is given beforehand as in the published evaluation."""

    def start(self, cluster: Cluster, trace: Trace, seed: int) -> None:
        """Take the mix from the trace."""
        del seed
        self._mix = PodMix.of(Counter(pod.shape for pod in trace.pods), cluster.models)

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """Minus the growth of fragmentation; ties to the node with the least free GPU (CPU where no pod asks for GPUs)."""
        del now
        if self._mix is None or not cluster.devices:
            return -free_share(cluster.cpu, cluster.cpu_capacity, pod.shape.cpu_millicores, nodes)
        tie = _TIE * free_share(cluster.gpu_left, cluster.gpu_capacity, 0, nodes)
        return -growth(self._mix, cluster, pod.shape, nodes) - tie

    def device(self, cluster: Cluster, shape: PodShape, slot: int) -> int | None:
        """The device where fragmentation grows least."""
        if self._mix is None or not 0 < shape.gpu_milli < GPU_SCALE:
            return None
        return best_device(self._mix, cluster, shape, slot)
