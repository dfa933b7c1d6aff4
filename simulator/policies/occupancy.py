"""How long nodes will stay in use, and how much longer a pod would keep them: expectations from survival curves.

For a node, `gone[t]` is the chance that all its pods have left `t` seconds from now. Pods of one owner tend to end together, so of each
owner only the pod that is expected to stay longest counts, and different owners are taken as independent. A pod with the survival `s` adds
`sum(s[t] * gone[t] * dt)` seconds to its node: all the time it is expected to stay, if the node is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np

from extender.scoring.survival import EDGES, WIDTHS, Floats, Lifetimes, known_survival, survival
from simulator.cluster import Cluster, Ints
from simulator.trace import PodRow

_REFRESH_S: Final = 300
"""Curves are renewed this often: ages grow, departures teach."""
_EARLY_WEIGHT: Final = 0.1
"""With true departures, a pod that ends long before its node is charged a tenth of that time: the place is better given to one that
ends later. Learned lifetimes are too wide for it (measured: it costs more than it saves)."""
_BINS: Final = len(WIDTHS)
HORIZON_HOURS: Final = float(EDGES[-1]) / 3600
"""How far ahead is looked: a pod of which nothing is known stays that long."""


class Occupancy:
    """Pods by node with their survival curves. With `oracle`, true departures are used in place of learned ones."""

    def __init__(self, *, oracle: bool = False) -> None:
        self._oracle = oracle
        self.lifetimes = Lifetimes()
        self._groups: dict[int, int] = {}
        self._pods: dict[int, dict[int, PodRow]] = defaultdict(dict)
        """Slot -> index of a pod -> pod."""
        self._owners: dict[int, dict[str, Floats]] = defaultdict(dict)
        """Slot -> owner -> survival of the pod that is expected to stay longest."""
        self._gone: Floats = np.ones((64, _BINS))
        self._rates: Floats = np.zeros((0, _BINS))
        self._curves: dict[tuple[int, int], Floats] = {}
        self._renewed_s: int | None = None

    @property
    def departed_any(self) -> bool:
        """Whether any pod has ended so far: without one, all stay for ever."""
        return self._oracle or self.lifetimes.departed_any

    def arrive(self, pod: PodRow, now: int) -> None:
        """A pod comes."""
        self._groups[pod.index] = self.lifetimes.arrive(pod.index, (pod.shape, (pod.namespace, pod.owner)), now)

    def place(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """A pod stands on a node from now on."""
        self._pods[slot][pod.index] = pod
        if self.departed_any:
            self._renew(cluster, now)
            self._add(pod, slot, self._curve(pod, now))

    def depart(self, pod: PodRow, slot: int, now: int) -> None:
        """A pod has ended."""
        self.lifetimes.depart(pod.index, now)
        del self._groups[pod.index]
        self._leave(pod, slot)

    def move(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """A pod stands elsewhere; it lives on."""
        self._leave(pod, source)
        self.place(cluster, pod, target, now)

    def hours_added(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Floats:
        """Expected hours for which each node would be in use for this pod alone."""
        if not self.departed_any:
            empty: Floats = np.where(cluster.residents[nodes] > 0, 0.0, HORIZON_HOURS)
            return empty
        self._renew(cluster, now)
        stays = self._curve(pod, now) * WIDTHS
        added: Floats = self._gone[nodes] @ stays
        if self._oracle:
            added += _EARLY_WEIGHT * ((1 - self._gone[nodes]) @ (WIDTHS - stays))
        key = _owner_of(pod)
        for position, slot in enumerate(nodes.tolist()):
            siblings = self._owners[slot].get(key)
            if siblings is not None:
                rest = _all_gone(curve for owner, curve in self._owners[slot].items() if owner != key)
                added[position] = (np.maximum(stays - siblings * WIDTHS, 0) * rest).sum()
        return added / 3600

    def hours_left(self, cluster: Cluster, nodes: Ints, now: int) -> Floats:
        """Expected hours until the last pod of each node has left."""
        self._renew(cluster, now)
        left: Floats = (1 - self._gone[nodes]) @ WIDTHS / 3600
        return left

    def residents(self, slot: int) -> list[PodRow]:
        """Pods on a node, in the order of the trace."""
        return [self._pods[slot][index] for index in sorted(self._pods[slot])]

    def _leave(self, pod: PodRow, slot: int) -> None:
        del self._pods[slot][pod.index]
        if not self._pods[slot]:
            self._owners.pop(slot, None)
            if slot < len(self._gone):
                self._gone[slot] = 1

    def _renew(self, cluster: Cluster, now: int) -> None:
        if cluster.slots > len(self._gone):
            self._gone = np.concatenate([self._gone, np.ones((cluster.slots, _BINS))])
        if self._renewed_s is not None and now < self._renewed_s + _REFRESH_S:
            return
        self._renewed_s = now
        self._rates = self.lifetimes.rates(now)
        self._curves.clear()
        self._owners.clear()
        self._gone[:] = 1
        standing = [(slot, pod) for slot, pods in self._pods.items() for pod in pods.values()]
        if not standing:
            return
        curves = self._survival([pod for _, pod in standing], now)
        for (slot, pod), curve in zip(standing, curves, strict=True):
            owners, key = self._owners[slot], _owner_of(pod)
            owners[key] = np.maximum(owners[key], curve) if key in owners else curve
        for slot, owners in self._owners.items():
            self._gone[slot] = _all_gone(owners.values())

    def _add(self, pod: PodRow, slot: int, curve: Floats) -> None:
        owners, key = self._owners[slot], _owner_of(pod)
        owners[key] = np.maximum(owners[key], curve) if key in owners else curve
        self._gone[slot] = _all_gone(owners.values())

    def _survival(self, pods: list[PodRow], now: int) -> Floats:
        if self._oracle:
            return known_survival(np.array([_remaining(pod, now) for pod in pods]))
        groups = np.array([self.lifetimes.ancestor(self._groups[pod.index], len(self._rates)) for pod in pods])
        ages = np.array([now - pod.arrival_s for pod in pods], np.float64)
        return survival(self._rates[groups], ages)

    def _curve(self, pod: PodRow, now: int) -> Floats:
        """The survival of one pod; those of one group and age are alike until curves are renewed."""
        if self._oracle:
            curve: Floats = self._survival([pod], now)[0]
            return curve
        key = (self._groups[pod.index], now - pod.arrival_s)
        if key not in self._curves:
            self._curves[key] = self._survival([pod], now)[0]
        return self._curves[key]


def _owner_of(pod: PodRow) -> str:
    return f"{pod.namespace}/{pod.owner}" if pod.owner else f"#{pod.index}"


def _remaining(pod: PodRow, now: int) -> float:
    return float(EDGES[-1]) if pod.departure_s is None else float(pod.departure_s - now)


def _all_gone(curves: Iterable[Floats]) -> Floats:
    gone = np.ones(_BINS)
    for curve in curves:
        gone *= 1 - curve
    return gone
