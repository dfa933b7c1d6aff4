"""What a policy is: scores for the nodes on which a pod fits, from a cluster it only reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.cluster import Cluster, Ints
from simulator.trace import PodRow, PodShape, Trace

Scores = NDArray[np.float64]
"""Larger is better; equal scores go to the lowest slot. Values of different policies cannot be compared."""


class Policy:
    """A placement policy. A plain one only has to say `scores`; the other methods let it learn from what happens."""

    epoch = 0
    """Raised whenever scores of unchanged nodes change: scores kept from before are thrown away."""

    @property
    def static(self) -> bool:
        """Whether a score depends on the pod's shape and the node's state alone, so that it can be kept until either changes."""
        return True

    def start(self, cluster: Cluster, trace: Trace, seed: int) -> None:
        """A simulation begins. The trace is given for what an admin would know beforehand; nothing may be read off its future."""

    def order(self, pods: Sequence[PodRow]) -> Sequence[PodRow]:
        """The order in which to place pods that arrive at the same time."""
        return pods

    def rearranged(self, cluster: Cluster, pods: Sequence[PodRow], now: int) -> Sequence[tuple[PodRow, int]]:
        """Other nodes for some of the pods of one moment, once all of them are placed: none of them has started yet."""
        del cluster, pods, now
        return ()

    def arrived(self, pod: PodRow, now: int) -> None:
        """A pod is about to be placed."""

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """How good each of some nodes is, all of which take the pod."""
        raise NotImplementedError

    def device(self, cluster: Cluster, shape: PodShape, slot: int) -> int | None:
        """The device of a node for a GPU share; None for the one on which it leaves least."""
        del cluster, shape, slot
        return None

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """A pod stands on a node."""

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """A pod has left a node by itself."""

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """A pod was moved from one node to another."""

    def moves(self, cluster: Cluster, now: int, budget: int) -> Sequence[tuple[PodRow, int]]:
        """Pods to move and where, at most `budget`; asked for between arrivals."""
        del cluster, now, budget
        return ()


def free_share(free: Ints, capacity: Ints, asked: int, nodes: Ints) -> NDArray[np.float64]:
    """What is left of a resource once a pod is there, as a share of what the node has; 0 where it has none."""
    share: NDArray[np.float64] = (free[nodes] - asked) / np.maximum(capacity[nodes], 1)
    return share
