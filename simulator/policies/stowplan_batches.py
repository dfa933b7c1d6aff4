"""Our policy where pods that arrive together are placed together: batches are seen whole before the first of their pods is placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

from extender.lifetimes.occupancy import Occupancy
from simulator.cluster import Cluster
from simulator.policies.stowplan import Stowplan, owner_of
from simulator.trace import PodRow

_SIZES: Final = (1, 3, 10, 40)
"""Largest batch of each class: one pod, few, some, many; beyond it, a crowd."""
_PRIOR_PODS: Final = (1.0, 8.0, 20.0, 1.0)
"""As `extender.lifetimes.survival.PRIOR_PODS`, with the class of size between shape and owner."""


class StowplanBatches(Stowplan):
    """Two things more than `Stowplan`, of pods that arrive at the same moment.

    - How many an owner brings at once tells how long they stay (one is often there for good, a crowd rarely), so lives are learned by
      the size of the batch as well, between shape and owner.
    - Pods that are expected to stay longest are placed first: they fill the room on nodes that stay in use anyway, and crowds that leave
      together get nodes that are empty together.
    """

    def __init__(self) -> None:
        super().__init__(Occupancy(_PRIOR_PODS))
        self._sizes: dict[int, int] = {}

    def order(self, pods: Sequence[PodRow]) -> Sequence[PodRow]:
        """Longest expected life first; equal ones, and all while no pod has ended, as they came."""
        counts = Counter(owner_of(pod) for pod in pods)
        self._sizes.update((pod.index, counts[owner_of(pod)]) for pod in pods)
        expected = {pod.index: self.expected_life_s(pod, pod.arrival_s) for pod in pods}
        return sorted(pods, key=lambda pod: -expected[pod.index])

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """The size of its batch is not needed any more."""
        super().departed(cluster, pod, slot, now)
        self._sizes.pop(pod.index, None)

    def path(self, pod: PodRow) -> tuple[Hashable, ...]:
        """Its shape, the class of its batch's size, its owner."""
        size = self._sizes[pod.index]
        return (pod.shape, ("batch", sum(size > most for most in _SIZES)), owner_of(pod))
