"""The nodes that cost a pod least, kept from one pod to the next of the same signature.

In a burst the cluster changes by a node or two between two calls. The order of all others is still right, so only nodes that changed are
valued again: a node that was not among the best and has not changed cannot have come to be one of them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Final

import numpy as np

from extender.deciding.node_table import Ints
from stowplan.model.pod import PodSignature

SIZE: Final = 64
"""Nodes kept. Of a scheduler that samples half of the nodes, one in 2^64 calls finds none of them offered."""
_LONGEST: Final = 2 * SIZE
"""Nodes that get cheaper come in; beyond so many the list is cut to its size again. Pods that keep away from each other make every node
they take cheaper for the next, which may not have it."""
_WORN: Final = 16
"""Fewer than this are left: the list is made anew."""
_REPAIRED: Final = 32
"""More changes than this are not repaired one by one."""

_SIGNATURES: Final = 8
"""Whose lists are kept: bursts are of one or a few."""

Value = tuple[int, int]
"""Cost but for latency, and what the pod adds to the time in use, as of `extender.deciding.node_ledger.Valued`."""


class Shortlist:
    """Rows of the node table by cost, then by row, up to a limit beyond which nothing is known.

    Args:
        signature: of the pods it is for.
        drain: the drain set it was made with.
        rows: all rows with room.
        costs: of each.
        added: of each.
    """

    def __init__(self, signature: PodSignature, drain: Collection[str], rows: Ints, costs: Ints, added: Ints) -> None:
        self.signature = signature
        self.drain = drain
        self.limit: tuple[int, int] | None = None
        """The last cost and row of the list when it was made; None where it holds all rows with room."""
        few = np.arange(len(rows))
        if len(rows) > SIZE:
            worst = np.partition(costs, SIZE - 1)[SIZE - 1]
            few = np.concatenate([(costs < worst).nonzero()[0], (costs == worst).nonzero()[0]])[:SIZE]
        self._values = {
            row: (cost, more)
            for row, cost, more in zip(rows[few].tolist(), costs[few].tolist(), added[few].tolist(), strict=True)
        }
        self._order = sorted((cost, row) for row, (cost, _) in self._values.items())
        if len(rows) > SIZE:
            self.limit = self._order[-1]
        self._changed: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        return ((row, self._values[row]) for _, row in self._order)

    @property
    def spent(self) -> bool:
        """Whether making it anew is better than repairing it."""
        return len(self._changed) > _REPAIRED or (self.limit is not None and len(self._order) < _WORN)

    def changed(self, row: int) -> None:
        """Whatever a cost depends on has changed for this row."""
        self._changed.add(row)

    def repair(self, value: Callable[[int], Value | None]) -> None:
        """Value the rows that changed again; None stands for a row without room."""
        for row in self._changed:
            known = self._values.pop(row, None)
            if known is not None:
                del self._order[bisect_left(self._order, (known[0], row))]
            valued = value(row)
            if valued is not None and (self.limit is None or (valued[0], row) <= self.limit):
                self._values[row] = valued
                insort(self._order, (valued[0], row))
        self._changed.clear()
        if len(self._order) > _LONGEST:
            for _, row in self._order[SIZE:]:
                del self._values[row]
            del self._order[SIZE:]
            self.limit = self._order[-1]


class Shortlists:
    """The best nodes of the last few signatures asked about."""

    def __init__(self) -> None:
        self._asked_about: deque[PodSignature] = deque(maxlen=_SIGNATURES)
        self._kept: deque[Shortlist] = deque(maxlen=_SIGNATURES)

    def of(
        self,
        signature: PodSignature,
        drain: Collection[str],
        *,
        repair: Callable[[int], Value | None],
        make: Callable[[], Shortlist],
    ) -> Shortlist | None:
        """The list of a signature, brought up to date; None for the first pod of one, for which a list is not worth making.

        Args:
            signature: of the pod.
            drain: nodes that are to run empty; a list made with others is made anew.
            repair: values a row.
            make: makes the list.
        """
        known = next((kept for kept in self._kept if kept.signature is signature), None)
        if known is not None and not known.spent and known.drain == drain:
            known.repair(repair)
            return known
        if known is not None:
            self._kept.remove(known)
        elif all(asked is not signature for asked in self._asked_about):
            self._asked_about.append(signature)
            return None
        made = make()
        self._kept.append(made)
        return made

    def changed(self, row: int) -> None:
        """Whatever a cost depends on has changed for this row."""
        for kept in self._kept:
            kept.changed(row)

    def clear(self) -> None:
        """All costs are others from now on."""
        self._kept.clear()
