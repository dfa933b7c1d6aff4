"""The nodes as arrays, so that all of them can be compared at once. Kept up to date node by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extender.cluster.snapshot import NodeInfo
from stowplan.model.resources import Amounts

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_FIRST_ROWS: Final = 64
_NOTHING: Final[Amounts] = {}
_PACKED: Final[tuple[str, ...]] = ("cpu", "memory")


class NodeTable:
    """One row a node; rows of nodes that are gone are used again. Reading is free, writing is for the cache's reader only.

    Args:
        freed: told of each row whose node is gone.
    """

    def __init__(self, freed: Callable[[int], object] = lambda _: None) -> None:
        self.rows: dict[str, int] = {}
        self.names: list[str] = []
        self.price: Ints = np.zeros(_FIRST_ROWS, np.int64)
        self.occupied: Mask = np.zeros(_FIRST_ROWS, np.bool_)
        """Nodes in use, by what stands there or by what is held there."""
        self._usable: Mask = np.zeros(_FIRST_ROWS, np.bool_)
        self._allocatable: dict[str, Ints] = {}
        self._free: dict[str, Ints] = {}
        self._held: dict[str, Amounts] = {}
        self._stands: Mask = np.zeros(_FIRST_ROWS, np.bool_)
        self._spare: list[int] = []
        self._freed = freed

    def __len__(self) -> int:
        return len(self.names)

    def put(self, info: NodeInfo, *, occupied: bool) -> None:
        """The node is new or has changed."""
        node = info.node
        row = self.rows.get(node.name)
        if row is None:
            row = self.rows[node.name] = self._new_row(node.name)
        for resource in node.allocatable.keys() - self._free.keys():
            self._free[resource] = np.zeros(len(self.price), np.int64)
            self._allocatable[resource] = np.zeros(len(self.price), np.int64)
        held = self._held.get(node.name, _NOTHING)
        for resource, free in self._free.items():
            offered = node.allocatable.get(resource, 0)
            self._allocatable[resource][row] = offered
            free[row] = offered - info.used.get(resource, 0) - held.get(resource, 0)
        self.price[row] = node.price_micro_usd_per_hour
        self._stands[row] = occupied
        self.occupied[row] = occupied or bool(held)
        self._usable[row] = node.ready and not node.unschedulable

    def hold(self, name: str, amounts: Amounts) -> None:
        """What is held on the node for pods that are not seen there yet is exactly this. Counts as taken, now or once the node is known."""
        before = self._held.pop(name, _NOTHING)
        if amounts:
            self._held[name] = amounts
        row = self.rows.get(name)
        if row is None:
            return
        for resource, free in self._free.items():
            free[row] += before.get(resource, 0) - amounts.get(resource, 0)
        self.occupied[row] = self._stands[row] or bool(amounts)

    def drop(self, name: str) -> None:
        """The node is gone. Unknown ones are ignored."""
        row = self.rows.pop(name, None)
        if row is not None:
            self.names[row] = ""
            self._usable[row] = self.occupied[row] = self._stands[row] = False
            self._spare.append(row)
            self._freed(row)

    def fitting(self, asked: Amounts) -> Ints:
        """Rows, ascending, of usable nodes with room; a resource that no node names is nowhere."""
        size = len(self)
        mask = self._usable[:size]
        for resource, amount in asked.items():
            if amount > 0:
                free = self._free.get(resource)
                if free is None:
                    return np.zeros(0, np.int64)
                mask = mask & (free[:size] >= amount)
        return mask.nonzero()[0]

    def fits(self, asked: Amounts, row: int) -> bool:
        """Whether one row is among `fitting`."""
        if not self._usable[row]:
            return False
        known = self._free
        return all(amount <= 0 or (r in known and known[r][row] >= amount) for r, amount in asked.items())

    def cpu_and_memory(self, row: int) -> tuple[dict[str, int], dict[str, int]]:
        """What one row offers of the two, and what of it is taken or held."""
        offered = {r: int(self._allocatable[r][row]) for r in _PACKED if r in self._free}
        return offered, {r: amount - int(self._free[r][row]) for r, amount in offered.items()}

    def free(self, resource: str, rows: Ints) -> Ints:
        """What is free of a resource on some nodes, less what is held."""
        known = self._free.get(resource)
        return np.zeros(len(rows), np.int64) if known is None else known[rows]

    def allocatable(self, resource: str, rows: Ints) -> Ints:
        """What some nodes offer of a resource."""
        known = self._allocatable.get(resource)
        return np.zeros(len(rows), np.int64) if known is None else known[rows]

    def _new_row(self, name: str) -> int:
        if self._spare:
            row = self._spare.pop()
            self.names[row] = name
            return row
        self.names.append(name)
        if len(self.names) > len(self.price):
            self._grow()
        return len(self.names) - 1

    def _grow(self) -> None:
        more = np.zeros(len(self.price), np.int64)
        self.price = np.concatenate([self.price, more])
        self.occupied, self._stands, self._usable = (
            np.concatenate([m, more.astype(np.bool_)]) for m in (self.occupied, self._stands, self._usable)
        )
        self._free = {name: np.concatenate([values, more]) for name, values in self._free.items()}
        self._allocatable = {name: np.concatenate([values, more]) for name, values in self._allocatable.items()}
