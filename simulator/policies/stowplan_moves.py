"""Our policy with moves: what `stowplan moves` would decide, carried out every five minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from extender.moves.consolidation import NEVER_MOVED
from extender.moves.emptying import DEFAULT_LIMITS, Candidate, Decision, decide
from extender.moves.room import LOOK_AHEAD_S, Mover, Nodes
from simulator.cluster import Cluster
from simulator.policies.stowplan import Stowplan, owner_of
from simulator.trace import PodRow

_ROUND_S: Final = 300
"""Seconds between two rounds."""


class StowplanWithMoves(Stowplan):
    """Empties nodes as `extender.moves.emptying` decides.

    It decides as the product does: by what was learned of lifetimes so far, with the command's default limits, and within the
    engine's budget of one move for every ten pods placed.

    Every pod counts as one with a controller under a PodDisruptionBudget that lets one pod of its owner be away at a time.

    Args:
        waits: whether a pod's eviction waits until those before it run again (`--wait`); otherwise at most one pod of an owner is
            moved in a round.
        lifetimes: whether the decision is told of them (`--extender`); otherwise all pods are expected to stay.
    """

    def __init__(self, *, waits: bool = True, lifetimes: bool = True) -> None:
        super().__init__()
        self._waits = waits
        self._lifetimes = lifetimes
        self._next_round_s = 0

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """Learn as from an eviction: nobody tells the planner that the pod has not ended by itself, and its replacement is new."""
        super().moved(cluster, pod, source, target, now)
        self._occupancy.depart(pod.index, now)
        self._occupancy.place(pod.index, self.path(pod), target, now, now)

    def moves(self, cluster: Cluster, now: int, budget: int) -> Sequence[tuple[PodRow, int]]:
        """Pods to move and where to, in their order."""
        if now < self._next_round_s:
            return ()
        self._next_round_s = now + _ROUND_S
        decision = self.decision(cluster, now, budget)
        return [move for emptied in decision.emptied for move in emptied.moves]

    def decision(self, cluster: Cluster, now: int, budget: int) -> Decision[PodRow]:
        """What to empty now by at most so many moves."""
        slots = np.flatnonzero(cluster.residents[: cluster.slots])
        residents = {slot: self.residents(slot) for slot in slots.tolist()}
        candidates = [
            Candidate(slot, tuple(map(_mover, pods))) for slot, pods in residents.items() if not any(map(_stays, pods))
        ]
        limits = replace(DEFAULT_LIMITS, moves=min(budget, DEFAULT_LIMITS.moves))
        budgets = _OneOfAnOwner(waits=self._waits)
        return decide(self._numbers(cluster, now), candidates, _Rules(residents), budgets, limits)

    def _numbers(self, cluster: Cluster, now: int) -> Nodes:
        rows = np.arange(cluster.slots)
        known = self._lifetimes and self._occupancy.departed_any
        return Nodes(
            price=cluster.price[rows],
            cpu=cluster.cpu_capacity[rows],
            memory=cluster.memory_capacity[rows],
            cpu_left=cluster.cpu[rows],
            memory_left=cluster.memory[rows],
            pods_left=cluster.pods_left[rows],
            in_use=cluster.active[rows] & (cluster.residents[rows] > 0),
            seconds_left=self.seconds_left(rows, now) if known else np.full(len(rows), LOOK_AHEAD_S),
        )


class _Rules:
    """What forbids a pod a node beside CPU, memory and slots: its owner may limit pods per node."""

    def __init__(self, residents: dict[int, Sequence[PodRow]]) -> None:
        self._owners = {slot: Counter(map(owner_of, pods)) for slot, pods in residents.items()}

    def attempt(self, candidate: Candidate[PodRow]) -> _Trial:
        """Nothing was put anywhere yet."""
        return _Trial(self._owners, candidate)


class _Trial:
    def __init__(self, owners: dict[int, Counter[tuple[str, str]]], candidate: Candidate[PodRow]) -> None:
        self._owners, self._source = owners, candidate.row
        self._put: dict[int, Counter[tuple[str, str]]] = {}

    def admits(self, pod: PodRow, row: int) -> bool:
        """Whether the owner lets one pod more onto the node."""
        if not pod.max_per_node:
            return True
        owner = owner_of(pod)
        return self._owners[row][owner] + self._put.get(row, Counter())[owner] < pod.max_per_node

    def put(self, pod: PodRow, row: int) -> None:
        """The pod goes there."""
        self._put.setdefault(row, Counter())[owner_of(pod)] += 1

    def keep(self) -> str:
        """The pods stand there from now on."""
        for row, owners in self._put.items():
            self._owners[row] += owners
        self._owners[self._source] = Counter()
        return ""


class _OneOfAnOwner:
    """Budgets that let one pod of each owner be away."""

    def __init__(self, *, waits: bool, away: frozenset[tuple[str, str]] = frozenset()) -> None:
        self._waits = waits
        self._away = set(away)

    def copy(self) -> _OneOfAnOwner:
        """The same budgets, to be spent apart from these."""
        return _OneOfAnOwner(waits=self._waits, away=frozenset(self._away))

    def refuses(self, pod: PodRow) -> str:
        """Whether another pod of the owner is away."""
        return "another pod of its owner is away" if owner_of(pod) in self._away else ""

    def spend(self, pod: PodRow) -> None:
        """The pod is moved; where the next one waits for it, it runs again by then."""
        if not self._waits:
            self._away.add(owner_of(pod))


def _mover(pod: PodRow) -> Mover[PodRow]:
    return Mover(pod, pod.shape.cpu_millicores, pod.shape.memory_bytes)


def _stays(pod: PodRow) -> bool:
    return bool(pod.shape.gpu_count) or pod.workload_class in NEVER_MOVED
