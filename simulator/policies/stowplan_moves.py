"""Our policy with moves: nodes whose few pods would keep them in use for long are emptied into the room of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from simulator.cluster import Cluster, Ints
from simulator.policies.stowplan import Stowplan
from simulator.trace import PodRow

HOURS_PER_MOVE: Final = 1.0
"""A move has to save so many hours of its node: the price of a disruption."""
_MOST_PODS: Final = 12
"""Nodes with more pods are not emptied."""
_TRIES: Final = 8
"""Nodes looked at in one round: bounds the work."""
_ROUND_S: Final = 300
"""Seconds between two rounds."""
_HOUR: Final = 3600
_NEVER_MOVED: Final = frozenset({"critical"})
"""Workload classes whose pods stay where they are."""


class StowplanWithMoves(Stowplan):
    """Proposes to empty nodes.

    A node is emptied whole or not at all, as only then money is saved, and only into nodes in use. Moves are made one after another,
    the next when the last pod runs again, so that never more than one pod of an owner is away: safe for any PodDisruptionBudget that
    allows one. The engine counts them and allows one for every ten pods placed.
    """

    def __init__(self, hours_per_move: float = HOURS_PER_MOVE) -> None:
        super().__init__()
        self._hours_per_move = hours_per_move
        self._next_round_s = 0

    def moves(self, cluster: Cluster, now: int, budget: int) -> Sequence[tuple[PodRow, int]]:
        """Pods to move and where to, most saving a move first."""
        found: list[tuple[PodRow, int]] = []
        if not self._occupancy.departed_any or now < self._next_round_s:
            return found
        self._next_round_s = now + _ROUND_S
        room = _Room(cluster)
        for slot in self._worth_emptying(cluster, now, budget)[:_TRIES].tolist():
            if room.received[slot]:
                continue
            pods = self.residents(slot)
            if len(found) + len(pods) > budget:
                continue
            found += self._drain(cluster, room, slot, pods, now)
        return found

    def _worth_emptying(self, cluster: Cluster, now: int, budget: int) -> Ints:
        pods = cluster.residents[: cluster.slots]
        nodes = np.flatnonzero((pods > 0) & (pods <= min(budget, _MOST_PODS)))
        hours = self.hours_left(nodes, now) / pods[nodes]
        order = np.argsort(-hours, kind="stable")
        return nodes[order[hours[order] >= self._hours_per_move]]

    def _drain(
        self, cluster: Cluster, room: _Room, slot: int, pods: Sequence[PodRow], now: int
    ) -> list[tuple[PodRow, int]]:
        """Targets for all pods of a node; none if one finds no place, or if nothing would be saved."""
        price = int(cluster.price[slot])
        saved = price * float(self.hours_left(np.array([slot]), now)[0])
        targets: list[tuple[PodRow, int]] = []
        for pod in sorted(pods, key=lambda p: (-p.shape.cpu_millicores, p.index)):
            nodes = room.takes(pod, slot)
            if pod.shape.gpu_count or pod.workload_class in _NEVER_MOVED or not len(nodes):
                break
            cost = -self.scores(cluster, pod, nodes, now)
            best = int(cost.argmin())
            target = int(nodes[best])
            saved -= price * self._hours_per_move + float(
                cluster.price[target] * self.seconds_added(pod, nodes[best : best + 1], now)[0] / _HOUR
            )
            targets.append((pod, target))
            room.put(pod, target, 1)
        if len(targets) == len(pods) and saved >= 0:
            room.emptied[slot] = True
            return targets
        for pod, target in targets:
            room.put(pod, target, -1)
        return []


class _Room:
    """What is free while moves are being chosen."""

    def __init__(self, cluster: Cluster) -> None:
        size = cluster.slots
        self._cpu, self._memory = cluster.cpu[:size].copy(), cluster.memory[:size].copy()
        self._pods = cluster.pods_left[:size].copy()
        self._in_use = cluster.active[:size] & (cluster.residents[:size] > 0)
        self.emptied = np.zeros(size, np.bool_)
        self.received = np.zeros(size, np.int64)

    def takes(self, pod: PodRow, source: int) -> Ints:
        """Nodes in use, other than its own and those to be emptied, on which a pod fits."""
        shape = pod.shape
        fits = self._in_use & ~self.emptied & (self._pods >= 1)
        fits &= (self._cpu >= shape.cpu_millicores) & (self._memory >= shape.memory_bytes)
        fits[source] = False
        return np.flatnonzero(fits)

    def put(self, pod: PodRow, slot: int, count: int) -> None:
        """Take room for a pod, or give it back."""
        self._cpu[slot] -= count * pod.shape.cpu_millicores
        self._memory[slot] -= count * pod.shape.memory_bytes
        self._pods[slot] -= count
        self.received[slot] += count
