"""Which nodes to empty, which of their pods goes where, in which order, within which budgets: the one implementation.

`extender.moves.consolidation` decides with it about a live cluster, `simulator.policies.stowplan_moves` in a replay. Nodes are rows of
arrays here; what else forbids a pod a node, and what may be away at once, is asked of whoever knows.

A node is emptied whole or not at all, as only then money is saved, and only into nodes in use. The node that is worth most for each pod
moved comes first: its price for as long as its pods are expected to keep it in use. Each move has to save an hour of its node, and all of
them the time for which their targets are in use longer. Where nobody knows how long pods stay, all are expected to stay as long as is
looked ahead; then the order is that of dollars an hour for each pod moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from extender.moves.room import Mover, Nodes, Room

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)

HOURS_PER_MOVE: Final = 1
"""A move has to save so many hours of its node: the price of a disruption."""
TRIES_PER_DRAIN: Final = 5
"""Nodes looked at for each that may be emptied: bounds the work."""
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be proposed."""

    drains: int = 10
    """Most nodes."""
    pods_per_node: int = 12
    """A node with more pods that have to move stays."""
    moves: int = 50
    """Most pods in all."""


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Candidate(Generic[P]):
    """A node that may be emptied, and all its pods that keep it in use."""

    row: int
    movers: tuple[Mover[P], ...]


@dataclass(frozen=True, slots=True)
class Emptied(Generic[P]):
    """A node, and by which moves it becomes empty, in their order: pod and row of the target."""

    row: int
    moves: tuple[tuple[P, int], ...]


@dataclass(frozen=True, slots=True)
class Kept(Generic[P]):
    """Why a node is not to be emptied; where it is for one of its pods, for which."""

    why: str
    pod: P | None = None


class Disruptions(Protocol[P_contra]):
    """How many pods may be away (PodDisruptionBudgets)."""

    def copy(self) -> Disruptions[P_contra]:
        """The same, to be spent apart from these."""

    def refuses(self, pod: P_contra) -> str:
        """Why the pod may not be moved now, or an empty string."""

    def spend(self, pod: P_contra) -> None:
        """The pod is moved."""


class Trial(Protocol[P_contra]):
    """Where the pods of one node may go, while places are looked for; the pods are off their node. Forgotten, unless it is kept.

    CPU, memory and pod slots are not its business, and need not be looked at.
    """

    def admits(self, pod: P_contra, row: int) -> bool:
        """Whether anything else forbids the pod the node."""

    def put(self, pod: P_contra, row: int) -> None:
        """The pod goes there."""

    def keep(self) -> str:
        """From now on the pods stand where they were put; or why they cannot, and nothing has changed."""


class Cluster(Protocol[P]):
    """The rules of a cluster."""

    def attempt(self, candidate: Candidate[P]) -> Trial[P]:
        """Begin to look for places for the pods of a node."""


@dataclass(frozen=True, slots=True)
class Decision(Generic[P]):
    """What to empty, one after the other, and why other candidates stay, by row."""

    emptied: tuple[Emptied[P], ...]
    kept: Mapping[int, Kept[P]]


def decide(
    nodes: Nodes,
    candidates: Iterable[Candidate[P]],
    cluster: Cluster[P],
    budgets: Disruptions[P],
    limits: Limits = DEFAULT_LIMITS,
) -> Decision[P]:
    """The nodes to empty, each possible after those before it.

    Args:
        nodes: the cluster in numbers; not changed.
        candidates: nodes of which nobody else decides and none of whose pods has to stay, in the order in which ties are broken.
        cluster: its rules.
        budgets: what may be away; not changed.
        limits: see there.
    """
    return _Round(nodes, cluster, budgets, limits).decide(candidates)


class _Round(Generic[P]):
    """One decision."""

    def __init__(self, nodes: Nodes, cluster: Cluster[P], budgets: Disruptions[P], limits: Limits) -> None:
        self._nodes, self._cluster, self._budgets, self._limits = nodes, cluster, budgets, limits
        self._room = Room(nodes)
        self._moves_left = limits.moves
        self._emptied: list[Emptied[P]] = []
        self._kept: dict[int, Kept[P]] = {}

    def decide(self, candidates: Iterable[Candidate[P]]) -> Decision[P]:
        worth = self._ranked([candidate for candidate in candidates if not self._keeps(candidate)])
        for candidate in worth[: self._limits.drains * TRIES_PER_DRAIN]:
            full = len(self._emptied) == self._limits.drains or len(candidate.movers) > self._moves_left
            if full or self._room.received[candidate.row]:
                continue
            found = self._empty(candidate)
            if isinstance(found, Kept):
                self._kept[candidate.row] = found
                continue
            self._emptied.append(found)
            self._moves_left -= len(found.moves)
        return Decision(tuple(self._emptied), self._kept)

    def _keeps(self, candidate: Candidate[P]) -> bool:
        """Whether the node stays for a reason that has nothing to do with other nodes; the reason is noted."""
        count, most = len(candidate.movers), self._limits.pods_per_node
        why: Kept[P] | None = Kept(f"{count} pods would have to move, more than {most}") if count > most else None
        why = why or _refused(candidate.movers, self._budgets) or self._leaves_soon(candidate)
        if why is not None:
            self._kept[candidate.row] = why
        return why is not None

    def _leaves_soon(self, candidate: Candidate[P]) -> Kept[P] | None:
        hours, count = float(self._nodes.seconds_left[candidate.row]) / _HOUR_S, len(candidate.movers)
        if hours >= HOURS_PER_MOVE * count:
            return None
        moves = "a move" if count == 1 else f"{count} moves"
        return Kept(f"its pods are expected to leave within {hours:.1f} h, too soon for {moves} to save anything")

    def _ranked(self, candidates: Sequence[Candidate[P]]) -> list[Candidate[P]]:
        """Those worth most for each pod moved first."""
        price, left = self._nodes.price, self._nodes.seconds_left
        return sorted(candidates, key=lambda c: -float(price[c.row]) * float(left[c.row]) / len(c.movers))

    def _empty(self, candidate: Candidate[P]) -> Emptied[P] | Kept[P]:
        """Places for all pods of a node, if that pays; the largest pods first, as they fit in fewest places."""
        budgets, room = self._budgets.copy(), self._room.copy()
        refused = _refused(candidate.movers, budgets, spend=True)
        if refused is not None:
            return refused
        room.close(candidate.row)
        trial = self._cluster.attempt(candidate)
        moves = _places(candidate, room, trial)
        if moves is None:
            return Kept("its pods do not fit on other nodes in use")
        if room.added > self._saved(candidate):
            return Kept("its pods would keep other nodes in use for too long")
        why = trial.keep()
        if why:
            return Kept(why)
        self._room, self._budgets = room, budgets
        return Emptied(candidate.row, moves)

    def _saved(self, candidate: Candidate[P]) -> float:
        """Micro-dollars an hour times seconds that are saved by its node going, less what its moves have to save."""
        seconds = float(self._nodes.seconds_left[candidate.row]) - HOURS_PER_MOVE * _HOUR_S * len(candidate.movers)
        return float(self._nodes.price[candidate.row]) * seconds


def _places(candidate: Candidate[P], room: Room, trial: Trial[P]) -> tuple[tuple[P, int], ...] | None:
    """Where all pods of a node go, or None; the largest first, as they fit in fewest places.

    A pod may have to wait for another (affinity, spread), so those left over are tried again for as long as others find a place.
    """
    moves: list[tuple[P, int]] = []
    waiting = sorted(candidate.movers, key=lambda mover: (-mover.cpu, -mover.memory))
    while waiting:
        held: list[Mover[P]] = []
        for mover in waiting:
            rows = room.cheapest(mover, candidate.row)
            target = next((row for row in rows if trial.admits(mover.pod, row)), None)
            if target is None:
                held.append(mover)
                continue
            room.put(mover, candidate.row, target)
            trial.put(mover.pod, target)
            moves.append((mover.pod, target))
        if len(held) == len(waiting):
            return None
        waiting = held
    return tuple(moves)


def _refused(movers: Sequence[Mover[P]], budgets: Disruptions[P], *, spend: bool = False) -> Kept[P] | None:
    """Of which pod a budget says no; with `spend` each that is moved counts against those that follow."""
    for mover in movers:
        why = budgets.refuses(mover.pod)
        if why:
            return Kept(why, mover.pod)
        if spend:
            budgets.spend(mover.pod)
    return None
