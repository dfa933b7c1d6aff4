"""A planner that restarts: what is learned of lifetimes is lost, and pods found standing teach from then on only."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Final

from extender.lifetimes.occupancy import Occupancy
from perf.simulation.azure import JUDGED_FOLDS, elastic_trace
from perf.simulation.traces import AZURE_WINDOW
from simulator.bounds import lower_bound
from simulator.cluster import Cluster
from simulator.engine import Replay
from simulator.policies.stowplan import Stowplan
from simulator.trace import PodRow, Trace

_EVERY_S: Final = (86_400, 21_600, 3600)


class RestartingStowplan(Stowplan):
    """`Stowplan` that forgets all lifetimes every so often and lists the pods that stand, with their true ages, as the planner does.

    Args:
        every_s: seconds between two restarts.
    """

    def __init__(self, every_s: int) -> None:
        super().__init__()
        self._every_s = every_s
        self._next_s = every_s
        self._slots: dict[int, int] = {}
        self.restarts = 0

    def arrived(self, pod: PodRow, now: int) -> None:
        """Restart, if it is time."""
        super().arrived(pod, now)
        if now < self._next_s:
            return
        self._next_s = now + self._every_s
        self.restarts += 1
        self._occupancy = Occupancy()
        for index, standing in self._pods.items():
            self._occupancy.place(index, self.path(standing), self._slots[index], now, standing.arrival_s)

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Remember where it stands."""
        super().placed(cluster, pod, slot, now)
        self._slots[pod.index] = slot


def measure(folds: Sequence[int] = JUDGED_FOLDS[:1], every_s: Sequence[int] = _EVERY_S) -> dict[str, Any]:
    """Cost over the bound, without restarts and with one every so many seconds."""
    traces = [elastic_trace(fold) for fold in folds]
    rows = {"never": [_cost(trace, Stowplan()) for trace in traces]}
    rows |= {
        f"every {seconds} s": [_cost(trace, RestartingStowplan(seconds)) for trace in traces] for seconds in every_s
    }
    return {
        "folds": list(folds),
        "restarts": {
            name: {"mean": round(statistics.fmean(values), 4), "by_trace": values} for name, values in rows.items()
        },
    }


def _cost(trace: Trace, policy: Stowplan) -> float:
    bound = lower_bound(trace, AZURE_WINDOW).node_hours_micro_usd
    return round(Replay(trace, policy, window=AZURE_WINDOW).run().node_hours_micro_usd / bound, 4)
