"""Our policy where pods that arrive together are placed together: batches are seen whole before the first of their pods is bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from extender.lifetimes.batch_size import BatchSize
from extender.lifetimes.block import Ground, Kind
from extender.lifetimes.local_search import rearranged
from extender.lifetimes.node_curves import Curve
from extender.lifetimes.standing import Floats
from extender.lifetimes.survival import BINS
from simulator.cluster import Cluster
from simulator.policies.stowplan import Stowplan, owner_of
from simulator.trace import PodRow, PodShape


class StowplanBatches(Stowplan):
    """Three things more than `Stowplan`, of pods that arrive at the same moment.

    - How many an owner brings at once tells how long they stay (one is often there for good, a crowd rarely), so lives are learned by
      the size of the batch as well, between shape and owner.
    - Pods that are expected to stay longest are placed first: they fill the room on nodes that stay in use anyway, and crowds that leave
      together get nodes that are empty together.
    - Once all have a node, a local search looks for better ones before any is bound (`extender.lifetimes.local_search`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}
        self._gone: Floats = np.ones((0, BINS))
        """The nodes' curves before the pods of this moment came, and of the owners that bring them."""
        self._siblings: Mapping[Hashable, Mapping[int, Curve]] = {}
        self._found: list[tuple[PodRow, int]] = []
        """The pods of this moment with their nodes, in the order of placement."""

    def order(self, pods: Sequence[PodRow]) -> Sequence[PodRow]:
        """Longest expected life first; equal ones, and all while no pod has ended, owner by owner."""
        counts = Counter(owner_of(pod) for pod in pods)
        self._sizes.update((pod.index, counts[owner_of(pod)]) for pod in pods)
        expected = {pod.index: self.expected_life_s(pod, pod.arrival_s) for pod in pods}
        self._found = []
        if len(pods) > 1:
            curves = self._occupancy.curves
            self._gone, self._siblings = curves.gone.copy(), {owner: curves.siblings(owner) for owner in counts}
        return sorted(pods, key=lambda pod: (-expected[pod.index], owner_of(pod)))

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Note the node."""
        super().placed(cluster, pod, slot, now)
        self._found.append((pod, slot))

    def rearranged(self, cluster: Cluster, pods: Sequence[PodRow], now: int) -> Sequence[tuple[PodRow, int]]:
        """What the search finds. Nothing while no pod has ended, nor where devices or limits per node decide."""
        if self.static or len(pods) < 2 or any(pod.shape.gpu_count or pod.max_per_node for pod in pods):  # noqa: PLR2004 - a single pod has no company
            return ()
        numbers: dict[tuple[PodShape, tuple[str, str]], int] = {}
        kinds: list[Kind] = []
        placed = []
        for pod, slot in self._found:
            number = numbers.setdefault((pod.shape, owner_of(pod)), len(numbers))
            if number == len(kinds):
                survival = self._occupancy.survival(self.path(pod), now)
                kinds.append(Kind(owner_of(pod), pod.shape.cpu_millicores, pod.shape.memory_bytes, survival))
            placed.append((number, slot))
        targets = rearranged(self._ground(cluster), kinds, placed)
        return [(pod, to) for (pod, slot), to in zip(self._found, targets, strict=True) if to != slot]

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """The size of its batch is not needed any more."""
        super().departed(cluster, pod, slot, now)
        self._sizes.pop(pod.index, None)

    def path(self, pod: PodRow) -> tuple[Hashable, ...]:
        """Its shape, the class of its batch's size, its owner."""
        return BatchSize.of(self._sizes[pod.index]).into(super().path(pod))

    def _ground(self, cluster: Cluster) -> Ground:
        """The nodes without the pods of this moment; on closed ones nothing fits."""
        size = cluster.slots
        cpu, memory, pods = cluster.cpu[:size].copy(), cluster.memory[:size].copy(), cluster.pods_left[:size].copy()
        others = cluster.residents[:size].copy()
        for pod, slot in self._found:
            cpu[slot] += pod.shape.cpu_millicores
            memory[slot] += pod.shape.memory_bytes
            pods[slot] += 1
            others[slot] -= 1
        gone = np.ones((size, BINS))
        known = min(size, len(self._gone))
        gone[:known] = self._gone[:known]
        capacity = cluster.cpu_capacity[:size], cluster.memory_capacity[:size]
        kept = cluster.active[:size] & (others > 0)
        return Ground(cluster.price[:size], *capacity, cpu, memory, pods, kept, gone, self._siblings)
