"""Any node on which the pod fits."""

from __future__ import annotations

import numpy as np

from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Policy, Scores
from simulator.trace import PodRow, Trace


class RandomFit(Policy):
    """Uniform over the nodes that take the pod, from a seeded generator."""

    @property
    def static(self) -> bool:
        """Never: every score is drawn anew."""
        return False

    def start(self, cluster: Cluster, trace: Trace, seed: int) -> None:
        """Seed the generator."""
        del cluster, trace
        self._chance = np.random.default_rng(seed)

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """See the class."""
        del cluster, pod, now
        return self._chance.random(len(nodes))
