"""The pods that stand, as columns of numbers: an object for each of 150,000 pods, with its floats, was most of what the planner kept."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
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

    def pods(self) -> Collection[Hashable]:
        """All pods, in some order."""
        return self._slots.keys()

    def slots(self) -> Ints:
        """Their slots, in the same order."""
        return np.fromiter(self._slots.values(), np.int64, len(self._slots))

    def slot(self, pod: Hashable) -> int:
        """The slot of a pod that stands."""
        return self._slots[pod]

    def add(self, pod: Hashable, group: int, born: float, seen: float) -> int:
        """A pod stands since `born` and is watched since `seen`; returns its slot."""
        slot = self._slot_for(pod)
        if slot >= len(self._group):
            size = max(slot + 1, 2 * len(self._group))
            self._group = np.resize(self._group, size)
            self._born, self._seen = np.resize(self._born, size), np.resize(self._seen, size)
        self._group[slot], self._born[slot], self._seen[slot] = group, born, seen
        return slot

    def remove(self, pod: Hashable) -> tuple[int, float, float]:
        """A pod stands no more; its group, and since when it stood and was watched.

        Raises:
            KeyError: it does not stand.
        """
        slot = self._freed(pod)
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

    def _slot_for(self, pod: Hashable) -> int:
        slot = self._slots.get(pod)
        if slot is None:
            slot = self._slots[pod] = self._spare.pop() if self._spare else len(self._slots)
        return slot

    def _freed(self, pod: Hashable) -> int:
        slot = self._slots.pop(pod)
        self._spare.append(slot)
        return slot


class NumberedPods(Standing):
    """The same for pods that somebody else has numbered, and numbers again when they are gone: the number is the slot."""

    def __init__(self) -> None:
        super().__init__()
        self._there = bytearray()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, pod: Hashable) -> bool:
        return isinstance(pod, int) and 0 <= pod < len(self._there) and bool(self._there[pod])

    def pods(self) -> Collection[Hashable]:
        """All pods, by number."""
        numbers: list[int] = self.slots().tolist()
        return numbers

    def slots(self) -> Ints:
        """The same as numbers."""
        return np.flatnonzero(np.frombuffer(self._there, np.uint8)) if self._there else np.zeros(0, np.int64)

    def slot(self, pod: Hashable) -> int:
        """The slot of a pod that stands."""
        if not isinstance(pod, int) or pod not in self:
            raise KeyError(pod)
        return pod

    def _slot_for(self, pod: Hashable) -> int:
        if not isinstance(pod, int) or pod < 0:
            raise TypeError(f"pod {pod!r} has no number; give one that is not negative")
        if pod >= len(self._there):
            self._there.extend(bytes(max(pod + 1, 2 * len(self._there)) - len(self._there)))
        self._count += not self._there[pod]
        self._there[pod] = 1
        return pod

    def _freed(self, pod: Hashable) -> int:
        slot = self.slot(pod)
        self._there[slot] = 0
        self._count -= 1
        return slot
