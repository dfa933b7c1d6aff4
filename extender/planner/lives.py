"""Learns lifetimes from the events of the cache, in the planner process."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from extender.lifetimes.kin import keeps_nodes_in_use, path_of
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.occupancy import REFRESH_S, Occupancy
from stowplan.model.pod import Pod


class Lives:
    """Pods by node, when they came and when they went. A pod teaches from when it is seen on a node to when it is gone from the API.

    Its age counts from its creation, as far as that is known; what happened before it was seen teaches nothing. Pods that never got a node,
    and those that come and go with their node, teach nothing either.

    Args:
        clock: Unix seconds, to be compared with creation times.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._occupancy = Occupancy()
        self._rows: dict[str, int] = {}
        self._spare: list[int] = []
        self._published_s: float | None = None

    def apply(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Carry out one event; those that are not about pods are ignored."""
        match method:
            case "upsert_pod":
                self._upsert(arguments[0])
            case "delete_pod":
                self._gone(arguments[0])
            case "replace_pods":
                self._replace(arguments[0])
            case "keep_pods":
                self._keep(arguments[0])

    def due_in(self) -> float | None:
        """Seconds until values are to be published, or None while nothing was learned."""
        if not self._occupancy.departed_any:
            return None
        renewed = self._occupancy.renewed_s
        if renewed is None or renewed != self._published_s:
            return 0.0
        return max(0.0, renewed + REFRESH_S - self._clock())

    def values(self, generation: int) -> NodeValues | None:
        """Values to publish, if it is time."""
        if not self._occupancy.departed_any:
            return None
        self._occupancy.renew(self._clock())
        if self._occupancy.renewed_s == self._published_s:
            return None
        self._published_s = self._occupancy.renewed_s
        for name in [name for name, row in self._rows.items() if not self._occupancy.residents(row)]:
            self._spare.append(self._rows.pop(name))
        return NodeValues(generation, dict(self._rows), self._occupancy.curves, self._occupancy.expectations)

    def _upsert(self, pod: Pod) -> None:
        if pod.finished:
            self._gone(pod.uid)
        elif pod.node_name and pod.uid not in self._occupancy and keeps_nodes_in_use(pod.signature):
            now = self._clock()
            row = self._row(pod.node_name)
            born = min(now, float(pod.created_s)) if pod.created_s else now
            self._occupancy.place(pod.uid, path_of(pod.signature, pod.uid), row, now, born, pod.ends_s or None)

    def _row(self, name: str) -> int:
        row = self._rows.get(name)
        if row is None:
            row = self._rows[name] = self._spare.pop() if self._spare else len(self._rows)
        return row

    def _gone(self, uid: Hashable) -> None:
        if uid in self._occupancy:
            self._occupancy.depart(uid, self._clock())

    def _replace(self, pods: Iterable[Pod]) -> None:
        listed = {pod.uid: pod for pod in pods}
        self._keep(listed)
        for pod in listed.values():
            self._upsert(pod)

    def _keep(self, uids: Iterable[str]) -> None:
        for uid in self._occupancy.pods() - set(uids):
            self._gone(uid)
