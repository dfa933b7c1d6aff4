"""The nodes in numbers while moves are chosen: what is free, which node is expected to cost a pod least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from extender.lifetimes.survival import EDGES
from extender.scoring.expected_cost import costs_in_use, free_times, hundredths

P = TypeVar("P")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LOOK_AHEAD_S: Final = float(EDGES[-1])
"""How long pods are expected to stay where nothing was learned: as far as lifetimes look ahead."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes by row, with all their pods. CPU is millicores, memory bytes, money micro-dollars an hour."""

    price: Ints
    cpu: Ints
    memory: Ints
    cpu_left: Ints
    memory_left: Ints
    pods_left: Ints
    in_use: NDArray[np.bool_]
    """Whether the node takes pods and has any: others are never a target."""
    seconds_left: Floats
    """How long the pods there are expected to keep the node in use; see `LOOK_AHEAD_S`."""


@dataclass(frozen=True, slots=True)
class Mover(Generic[P]):
    """A pod that would have to move."""

    pod: P
    cpu: int
    memory: int


class Room:
    """What is free while moves are being chosen. A copy can be filled and thrown away."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._cpu, self._memory, self._pods = nodes.cpu_left, nodes.memory_left, nodes.pods_left
        self._open, self._left = nodes.in_use, nodes.seconds_left
        self.received = np.zeros(len(nodes.price), np.bool_)
        self.added = 0.0
        """Micro-dollars an hour times seconds for which targets are expected to be in use longer, of this copy."""

    def copy(self) -> Room:
        """The same room, to be filled apart from this; nothing was added to it yet."""
        twin = Room(self._nodes)
        twin._cpu, twin._memory, twin._pods = self._cpu.copy(), self._memory.copy(), self._pods.copy()
        twin._open, twin._left, twin.received = self._open.copy(), self._left.copy(), self.received.copy()
        return twin

    def close(self, row: int) -> None:
        """The node takes no pod any more."""
        self._open[row] = False

    def cheapest(self, mover: Mover[P], source: int) -> list[int]:
        """Nodes with room for a pod, those first on which it is expected to cost least: as the live extender values nodes."""
        fits = self._open & (self._pods >= 1) & (self._cpu >= mover.cpu) & (self._memory >= mover.memory)
        rows, nodes = np.flatnonzero(fits), self._nodes
        free = free_times(
            self._cpu[rows] - mover.cpu, nodes.cpu[rows], self._memory[rows] - mover.memory, nodes.memory[rows]
        )
        costs = costs_in_use(nodes.price[rows], hundredths(self._added_s(source, rows)), free)
        found: list[int] = rows[np.argsort(costs, kind="stable")].tolist()
        return found

    def put(self, mover: Mover[P], source: int, row: int) -> None:
        """The pod of one node goes to another."""
        longer = float(self._added_s(source, np.array([row]))[0])
        self.added += float(self._nodes.price[row]) * longer
        self._left[row] += longer
        self._cpu[row] -= mover.cpu
        self._memory[row] -= mover.memory
        self._pods[row] -= 1
        self.received[row] = True

    def _added_s(self, source: int, rows: Ints) -> Floats:
        """How long pods of one node may keep others in use after the pods there have left: no longer than they keep their own."""
        longer: Floats = np.maximum(self._left[source] - self._left[rows], 0.0)
        return longer
