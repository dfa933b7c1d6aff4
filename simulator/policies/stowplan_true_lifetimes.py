"""Our policy with true departures given: what better predictions could bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from extender.lifetimes.standing import Floats
from extender.lifetimes.survival import EDGES
from simulator.cluster import Cluster, Ints
from simulator.policies.stowplan import Stowplan
from simulator.trace import PodRow

_HORIZON_S: Final = float(EDGES[-1])
"""Nobody looks further ahead; who never leaves, leaves then."""
_REUSED: Final = 0.8
"""Share of the time added that counts less the further ahead it lies, because others will come and use it; the rest counts whole."""
_REUSED_AFTER_S: Final = 57_600.0
"""How far ahead, for that to have fallen to 1/e."""
_EARLY: Final = 0.025
"""What a second counts by which the pod leaves before its node does: the place is better given to one that stays longer."""
_EARLY_UP_TO_S: Final = 43_200.0
"""The longer it is, the less another second matters; so much counts at most."""
_OVER_FIT: Final = 6.0
"""What stays free for half an hour (the fit in `extender.scoring.expected_cost`) counts as five minutes here: ends are known."""


class StowplanTrueLifetimes(Stowplan):
    """The same sum, with known ends in place of expectations; nothing is learned of lives.

    The constants were chosen on samples of the Azure trace that are not judged.

    Args:
        together: pods that arrive at the same moment are placed together, those that leave last first.
    """

    def __init__(self, *, together: bool = False) -> None:
        super().__init__()
        self._together = together
        self._ends = np.zeros(64)
        """By slot, when the last pod leaves."""
        self._residents: dict[int, dict[int, float]] = {}

    @property
    def static(self) -> bool:
        """Time passes."""
        return False

    def order(self, pods: Sequence[PodRow]) -> Sequence[PodRow]:
        """As they come, or those that leave last first."""
        return sorted(pods, key=lambda pod: -_end(pod)) if self._together else pods

    def seconds_added(self, pod: PodRow, nodes: Ints, now: int) -> Floats:
        """Seconds for which the pod keeps each node in use alone, and for which the node stays in use without it, as they count."""
        self._reach(int(nodes.max(initial=0)))
        end = min(_end(pod) - now, _HORIZON_S)
        node = np.clip(self._ends[nodes] - now, 0, _HORIZON_S)
        longer = np.maximum(end, node)
        fades = np.exp(-node / _REUSED_AFTER_S) - np.exp(-longer / _REUSED_AFTER_S)
        added = (1 - _REUSED) * (longer - node) + _REUSED * _REUSED_AFTER_S * fades
        early = _EARLY * _EARLY_UP_TO_S * (1 - np.exp(-(longer - end) / _EARLY_UP_TO_S))
        return _OVER_FIT * (added + early)

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Note the end."""
        del cluster, now
        self._residents.setdefault(slot, {})[pod.index] = _end(pod)
        self._noted(slot)

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Forget the pod."""
        del cluster, now
        del self._residents[slot][pod.index]
        self._noted(slot)

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """Note its end elsewhere."""
        self.departed(cluster, pod, source, now)
        self.placed(cluster, pod, target, now)

    def _noted(self, slot: int) -> None:
        self._reach(slot)
        self._ends[slot] = max(self._residents[slot].values(), default=0.0)

    def _reach(self, slot: int) -> None:
        if slot >= len(self._ends):
            self._ends = np.concatenate([self._ends, np.zeros(max(slot + 1, 2 * len(self._ends)) - len(self._ends))])


def _end(pod: PodRow) -> float:
    return float("inf") if pod.departure_s is None else float(pod.departure_s)
