"""A packing made with all arrivals and departures known beforehand: how far even that gets without moving pods.

Not a policy (it places pods in any order of time) and not a bound (it is a heuristic), but a packing that can be had: the least that
policies without moves could cost lies between `simulator.whole_pods` and this. For elastic nodes of one type, without GPUs.

First fit by length (Flammini et al., "Minimizing total busy time in parallel scheduling", Theoretical Computer Science 411, 2010), best fit
instead of first: longest pods first, each where it keeps a node in use for the least time alone, and of these where most is taken
already. Then rounds of ruin and recreate: all pods that stand on a few poorly filled nodes around a moment are taken out and put back in
another order; what costs no more is kept.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.bounds import placeable
from simulator.cluster import Ints, Mask
from simulator.meter import SECONDS_PER_HOUR
from simulator.trace import NodeRow, PodRow, Trace
from simulator.window import Window

_ROOM_WEIGHT: Final = 0.06
"""What room left on the node counts against time added, both as shares of the pod's life."""
_MOST_RUINED: Final = 300
"""Pods taken out in one round; a round that would take more is left out."""
_NODES_RUINED: Final = (2, 5)
_BY_WORK: Final = 0.3
"""In so many of the rounds size counts as well as length."""
_REACH_S: Final = (3_000, 33_000)
"""How far from the moment pods are taken out."""


@dataclass(frozen=True, slots=True)
class _Stay:
    """A pod, by what it takes and by the intervals in which it stands: from `begin` up to `end`, not included."""

    cpu: int
    memory: int
    begin: int
    end: int
    length_s: int


def hindsight(trace: Trace, window: Window, rounds: int = 0, seed: int = 1) -> int:
    """The node-hours of the packing in micro-dollars, over a window.

    Raises:
        ValueError: the trace has fixed nodes, several types of them, or GPUs.
    """
    if not trace.elastic or len(trace.nodes) != 1 or trace.nodes[0].gpu_count:
        raise ValueError(
            f"nodes: {len(trace.nodes)} rows, elastic={trace.elastic}; hindsight packs elastic nodes of one type without GPUs"
        )
    packing = _Packing(trace.nodes[0], placeable(trace), window)
    for pod in packing.longest_first():
        packing.put(pod, packing.best(pod))
    chance = random.Random(seed)  # noqa: S311 - a seeded search, not a secret
    for _ in range(rounds if packing.stays else 0):
        packing.rearrange(chance)
    return packing.seconds * trace.nodes[0].price_micro_usd_per_hour // SECONDS_PER_HOUR


class _Packing:
    """Nodes (rows) by intervals of time (columns): between two neighbouring arrivals or departures nothing changes."""

    def __init__(self, kind: NodeRow, pods: Sequence[PodRow], window: Window) -> None:
        self._kind, self._window = kind, window
        ends = [window.end_s if pod.departure_s is None else min(pod.departure_s, window.end_s) for pod in pods]
        spans = [(pod, end) for pod, end in zip(pods, ends, strict=True) if end > pod.arrival_s]
        times = sorted({pod.arrival_s for pod, _ in spans} | {end for _, end in spans})
        column = {time: number for number, time in enumerate(times)}
        self.stays = [
            _Stay(
                pod.shape.cpu_millicores,
                pod.shape.memory_bytes,
                column[pod.arrival_s],
                column[end],
                end - pod.arrival_s,
            )
            for pod, end in spans
        ]
        self._begin = np.array([stay.begin for stay in self.stays], np.int64)
        self._end = np.array([stay.end for stay in self.stays], np.int64)
        self._node = np.full(len(self.stays), -1, np.int64)
        self._times = np.array(times, np.int64)
        self._seconds = np.diff(self._times, append=self._times[-1:])
        """Length of each interval; of the last, at whose beginning all have left, 0."""
        bounds = np.maximum(np.append(self._times, self._times[-1:]), window.begin_s)
        self._measured: Ints = bounds[1:] - bounds[:-1]
        self._cpu, self._memory, self._count = (np.zeros((1, len(times)), np.int64) for _ in range(3))

        self.seconds = 0
        """Measured seconds of nodes in use."""

    def longest_first(self) -> list[int]:
        """All pods, in order of length."""
        return sorted(range(len(self.stays)), key=lambda pod: -self.stays[pod].length_s)

    def put(self, pod: int, node: int) -> None:
        """Stand a pod on a node on which it fits."""
        self._change(pod, node, 1)
        self._node[pod] = node

    def best(self, pod: int) -> int:
        """The node for a pod: of those in use during its life that take it, or else one that is not."""
        stay = self.stays[pod]
        span = slice(stay.begin, stay.end)
        room = self._cpu[:, stay.begin] + stay.cpu <= self._kind.cpu_millicores
        nodes = np.flatnonzero(room & self._count[:, span].any(1))
        nodes = nodes[self._takes(stay, nodes, span)]
        if not len(nodes):
            return self._unused(span)
        seconds = self._seconds[span]
        added = (self._count[nodes, span] == 0) @ self._measured[span]
        unfilled = stay.length_s - self._cpu[nodes, span] @ seconds / self._kind.cpu_millicores
        return int(nodes[(added + _ROOM_WEIGHT * unfilled).argmin()])

    def rearrange(self, chance: random.Random) -> None:
        """One round of ruin and recreate."""
        ruined = self._around(chance)
        if not 0 < len(ruined) <= _MOST_RUINED:
            return
        before, nodes = self.seconds, [int(self._node[pod]) for pod in ruined]
        for pod, node in zip(ruined, nodes, strict=True):
            self._change(pod, node, -1)
        by_work = chance.random() < _BY_WORK
        for pod in sorted(ruined, key=lambda pod: -self._size(pod, by_work=by_work) * chance.uniform(0.8, 1.2)):
            self.put(pod, self.best(pod))
        if self.seconds <= before:
            return
        for pod in ruined:
            self._change(pod, int(self._node[pod]), -1)
        for pod, node in zip(ruined, nodes, strict=True):
            self.put(pod, node)

    def _around(self, chance: random.Random) -> list[int]:
        """The pods of some nodes with room, around a moment."""
        window = self._window
        moment, reach = chance.randrange(window.begin_s, window.end_s), chance.randint(*_REACH_S)
        now, low, high = np.searchsorted(self._times, [moment, moment - reach, moment + reach], side="right") - 1
        used = self._cpu[:, now]
        in_use = np.flatnonzero(used)
        order = sorted(in_use.tolist(), key=lambda node: int(used[node]) * chance.uniform(0.3, 1.3))
        chosen = order[: chance.randint(*_NODES_RUINED)]
        hit = np.isin(self._node, chosen) & (self._begin < high) & (self._end > low)
        return [int(pod) for pod in np.flatnonzero(hit)]

    def _size(self, pod: int, *, by_work: bool) -> int:
        stay = self.stays[pod]
        return stay.length_s * stay.cpu if by_work else stay.length_s

    def _takes(self, stay: _Stay, nodes: Ints, span: slice) -> Mask:
        fits: Mask = self._cpu[nodes, span].max(1, initial=0) + stay.cpu <= self._kind.cpu_millicores
        fits &= self._memory[nodes, span].max(1, initial=0) + stay.memory <= self._kind.memory_bytes
        fits &= self._count[nodes, span].max(1, initial=0) < self._kind.max_pods
        return fits

    def _unused(self, span: slice) -> int:
        """A node that is not in use then; there is always one more."""
        free = np.flatnonzero(~self._count[:, span].any(1))
        if not len(free):
            free = np.array([len(self._cpu)])
            for name in ("_cpu", "_memory", "_count"):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros_like(getattr(self, name))]))
        return int(free[0])

    def _change(self, pod: int, node: int, count: int) -> None:
        stay = self.stays[pod]
        span = slice(stay.begin, stay.end)
        before = self._count[node, span] > 0
        self._cpu[node, span] += count * stay.cpu
        self._memory[node, span] += count * stay.memory
        self._count[node, span] += count
        after = self._count[node, span] > 0
        self.seconds += int((after.astype(np.int64) - before) @ self._measured[span])
