"""The pods that stand, as columns of numbers: an object for each of 150,000 pods, with its floats, was most of what the planner kept."""

from __future__ import annotations

from collections.abc import Hashable, KeysView, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FIRST_SIZE: Final = 64


class Standing:
    """Pods by slot number; a slot is given to the next pod once its pod has gone."""

    def __init__(self) -> None:
        self._slots: dict[Hashable, int] = {}
        self._spare: list[int] = []
        self._group: NDArray[np.int32] = np.zeros(_FIRST_SIZE, np.int32)
        self._born: Floats = np.zeros(_FIRST_SIZE)
        self._seen: Floats = np.zeros(_FIRST_SIZE)

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, pod: Hashable) -> bool:
        return pod in self._slots

    def pods(self) -> KeysView[Hashable]:
        """All pods, in the order of their coming."""
        return self._slots.keys()

    def slots(self) -> Ints:
        """Their slots, in the same order."""
        return np.fromiter(self._slots.values(), np.int64, len(self._slots))

    def slot(self, pod: Hashable) -> int:
        """The slot of a pod that stands."""
        return self._slots[pod]

    def add(self, pod: Hashable, group: int, born: float, seen: float) -> int:
        """A pod stands since `born` and is watched since `seen`; returns its slot."""
        slot = self._slots.get(pod)
        if slot is None:
            slot = self._slots[pod] = self._spare.pop() if self._spare else len(self._slots)
        if slot >= len(self._group):
            size = 2 * len(self._group)
            self._group = np.resize(self._group, size)
            self._born, self._seen = np.resize(self._born, size), np.resize(self._seen, size)
        self._group[slot], self._born[slot], self._seen[slot] = group, born, seen
        return slot

    def remove(self, pod: Hashable) -> tuple[int, float, float]:
        """A pod stands no more; its group, and since when it stood and was watched.

        Raises:
            KeyError: it does not stand.
        """
        slot = self._slots.pop(pod)
        self._spare.append(slot)
        return int(self._group[slot]), float(self._born[slot]), float(self._seen[slot])

    def groups(self, slots: Ints | slice = slice(None)) -> NDArray[np.int32]:
        """Groups by slot."""
        return self._group[slots]

    def born(self, slots: Ints | slice = slice(None)) -> Floats:
        """Since when they stand."""
        return self._born[slots]

    def seen(self, slots: Ints | slice = slice(None)) -> Floats:
        """Since when they are watched."""
        return self._seen[slots]

    def regroup(self, new: Sequence[int]) -> None:
        """Groups have other numbers: `new` by the old ones."""
        slots = self.slots()
        self._group[slots] = np.array(new, np.int32)[self._group[slots]]
