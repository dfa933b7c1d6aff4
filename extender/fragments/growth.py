"""How much of each node's GPU a pod would make unusable, kept by demand and node until the node changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from extender.fragments.room import Demand, Floats, Ints, Room
from extender.fragments.unusable import PodMix, unusable

_DEMANDS: Final = 256
"""Demands for which growth is kept; the one asked about longest ago goes first."""


class Growth:
    """Growth of `unusable` under one mix.

    Args:
        mix: of the pods that come.
        room: what is free on some nodes, by row.
    """

    def __init__(self, mix: PodMix, room: Callable[[Ints], Room]) -> None:
        self._mix, self._room = mix, room
        self._before: Floats = np.full(0, np.nan)
        self._kept: dict[Demand, Floats] = {}

    @property
    def demands(self) -> Sequence[Demand]:
        """Those asked about, the last one at the end."""
        return tuple(self._kept)

    def changed(self, row: int) -> None:
        """What is free on a node, or which pods it accepts, is not what it was."""
        for kept in (self._before, *self._kept.values()):
            if row < len(kept):
                kept[row] = np.nan

    def share(self, demand: Demand, rows: Ints) -> Floats:
        """For nodes that take such a pod, the share of all their GPUs that becomes unusable with it; 0 for nodes without GPUs.

        Negative where the pod makes use of what was of no use to others.
        """
        kept = self._kept.pop(demand, None)
        kept = self._kept[demand] = _long_enough(np.full(0, np.nan) if kept is None else kept, rows)
        if len(self._kept) > _DEMANDS:
            del self._kept[next(iter(self._kept))]
        missing = rows[np.isnan(kept[rows])]
        if len(missing):
            kept[missing] = self._grown(demand, missing)
        shares: Floats = kept[rows]
        return shares

    def _grown(self, demand: Demand, rows: Ints) -> Floats:
        room = self._room(rows)
        self._before = _long_enough(self._before, rows)
        unknown = np.isnan(self._before[rows])
        if unknown.all():
            self._before[rows] = unusable(self._mix, room)
        elif unknown.any():
            self._before[rows[unknown]] = unusable(self._mix, self._room(rows[unknown]))
        total = room.total
        grown = unusable(self._mix, room.with_pod(demand)) - self._before[rows]
        share: Floats = np.where(total > 0, grown / np.where(total > 0, total, 1.0), 0.0)
        return share


def _long_enough(kept: Floats, rows: Ints) -> Floats:
    """The array, or a longer one that has a place for the last of some rows."""
    needed = int(rows.max(initial=-1)) + 1
    return kept if needed <= len(kept) else np.concatenate([kept, np.full(2 * needed - len(kept), np.nan)])
