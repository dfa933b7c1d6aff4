"""The replay: arrivals and departures in their order, one placement at a time, under one policy."""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from extender.moves.allowance import Allowance
from simulator.cluster import Cluster, Ints
from simulator.meter import SECONDS_PER_HOUR, Meter
from simulator.opening import kind_to_open
from simulator.policies.policy import Policy
from simulator.score_cache import ScoreCache
from simulator.trace import PodRow, Trace
from simulator.window import Window, window_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy did with a trace. Shares are 0..1, money micro-dollars."""

    placed: int
    unplaced: int
    nodes_used: int
    """Most nodes in use at once."""
    cost_micro_usd_per_hour: int
    """Mean price of the nodes in use over the window; without times, of those in use at the end."""
    node_hours_micro_usd: int
    """The same times the hours of the window; without times, for one hour."""
    allocated: dict[str, float]
    """Mean share of the capacity that is requested: of all nodes of a fixed cluster, of the open ones of an elastic one."""
    moves: int
    seconds: float
    """Run time of the simulation."""


class Replay:
    """One simulation. `run` it once; `cluster` can be looked at while and after it runs."""

    def __init__(
        self, trace: Trace, policy: Policy, *, seed: int = 1, window: Window | None = None, moves: bool = True
    ) -> None:
        self.trace, self.policy = trace, policy
        self.cluster = Cluster(trace.nodes, 64 if trace.elastic else len(trace.nodes))
        if not trace.elastic:
            for kind in range(len(trace.nodes)):
                self.cluster.open(kind)
        self.placed = self.unplaced = self.moves = 0
        self._moves_allowed = moves
        self._allowance = Allowance()
        self._seed = seed
        self._window = window or window_of(trace)
        self._cache = ScoreCache(self.cluster, policy)
        self._departures: list[tuple[int, int]] = []
        self._where: dict[int, tuple[PodRow, int, tuple[int, ...]]] = {}
        self._owners: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        """Namespace and owner -> slot -> pods, for owners that limit pods per node."""
        self._used = {"cpu": 0, "memory": 0, "gpu": 0}
        self._price = self._nodes = 0
        self._total = self._capacity()

    def run(self, progress: Callable[[int], None] | None = None) -> Outcome:
        """Replay the whole trace; `progress` is called with the number of pods that have come so far."""
        started = time.perf_counter()
        meter = Meter(self._window.begin_s, self._window.end_s)
        self.policy.start(self.cluster, self.trace, self._seed)
        done = 0
        for now, group in self._groups():
            self._depart_until(now, meter)
            self._advance(now, meter)
            for pod in self.policy.order(group):
                self._arrive(pod, now)
                done += 1
                if progress is not None:
                    progress(done)
            self._rearrange(group, now)
            self._move(now)
        self._depart_until(self._window.end_s, meter)
        self._advance(self._window.end_s, meter)
        return self._outcome(meter, time.perf_counter() - started)

    def _groups(self) -> Iterator[tuple[int, list[PodRow]]]:
        for now, pods in groupby(self.trace.pods, key=lambda pod: pod.arrival_s):
            yield now, list(pods)

    def _arrive(self, pod: PodRow, now: int) -> None:
        self.policy.arrived(pod, now)
        slot = self._cache.best(pod, self._excluded(pod), now)
        if slot is None:
            slot = self._open_for(pod)
        if slot is None:
            self.unplaced += 1
            return
        self._put(pod, slot, self.policy.device(self.cluster, pod.shape, slot))
        self.placed += 1
        self._allowance.came(1)
        self.policy.placed(self.cluster, pod, slot, now)
        if pod.departure_s is not None:
            heapq.heappush(self._departures, (max(pod.departure_s, now), pod.index))

    def _open_for(self, pod: PodRow) -> int | None:
        kind = kind_to_open(self.trace.nodes, pod.shape) if self.trace.elastic else None
        return None if kind is None else self.cluster.open(kind)

    def _excluded(self, pod: PodRow) -> Ints | None:
        if not pod.max_per_node:
            return None
        counts = self._owners[pod.namespace, pod.owner]
        return np.array([slot for slot, count in counts.items() if count >= pod.max_per_node], np.int64)

    def _put(self, pod: PodRow, slot: int, device: int | None) -> None:
        if not self.cluster.residents[slot]:
            self._price += int(self.cluster.price[slot])
            self._nodes += 1
        self._where[pod.index] = (pod, slot, self.cluster.place(pod.shape, slot, device))
        self._count(pod, slot, 1)

    def _take(self, pod: PodRow, *, close: bool = True) -> int:
        _, slot, devices = self._where.pop(pod.index)
        self.cluster.remove(pod.shape, slot, devices)
        self._count(pod, slot, -1)
        if not self.cluster.residents[slot]:
            self._price -= int(self.cluster.price[slot])
            self._nodes -= 1
            if close:
                self._close_empty(slot)
        return slot

    def _close_empty(self, slot: int) -> None:
        if self.trace.elastic and self.cluster.active[slot] and not self.cluster.residents[slot]:
            self.cluster.close(slot)

    def _count(self, pod: PodRow, slot: int, change: int) -> None:
        if pod.max_per_node:
            counts = self._owners[pod.namespace, pod.owner]
            counts[slot] = counts.get(slot, 0) + change
        self._used["cpu"] += change * pod.shape.cpu_millicores
        self._used["memory"] += change * pod.shape.memory_bytes
        self._used["gpu"] += change * pod.shape.gpu_total

    def _depart_until(self, now: int, meter: Meter) -> None:
        while self._departures and self._departures[0][0] <= now:
            at, index = heapq.heappop(self._departures)
            self._advance(at, meter)
            pod = self._where[index][0]
            slot = self._take(pod)
            self.policy.departed(self.cluster, pod, slot, at)

    def _rearrange(self, pods: list[PodRow], now: int) -> None:
        """Pods that were placed just now go elsewhere together: two may have changed places."""
        placed = [pod for pod in pods if pod.index in self._where]
        changes = [
            (pod, self._where[pod.index][1], to) for pod, to in self.policy.rearranged(self.cluster, placed, now)
        ]
        for pod, _, _ in changes:
            self._take(pod, close=False)
        for pod, source, target in changes:
            self._put(pod, target, self.policy.device(self.cluster, pod.shape, target))
            self.policy.moved(self.cluster, pod, source, target, now)
        for _, source, _ in changes:
            self._close_empty(source)

    def _move(self, now: int) -> None:
        budget = self._allowance.left
        if not budget or not self._moves_allowed:
            return
        for pod, target in self.policy.moves(self.cluster, now, budget)[:budget]:
            source = self._where[pod.index][1]
            excluded = self._excluded(pod)
            forbidden = excluded is not None and target in excluded
            if forbidden or source == target or not self.cluster.fits(pod.shape, np.array([target]))[0]:
                continue
            self._take(pod)
            self._put(pod, target, self.policy.device(self.cluster, pod.shape, target))
            self.moves += 1
            self._allowance.moved(1)
            self.policy.moved(self.cluster, pod, source, target, now)

    def _advance(self, now: int, meter: Meter) -> None:
        capacity = self._capacity() if self.trace.elastic else self._total
        meter.advance(now, self._price, self._used, capacity, self._nodes)

    def _capacity(self) -> dict[str, int]:
        cluster, active = self.cluster, self.cluster.active
        return {
            "cpu": int(cluster.cpu_capacity[active].sum()),
            "memory": int(cluster.memory_capacity[active].sum()),
            "gpu": int(cluster.gpu_capacity[active].sum()),
        }

    def _outcome(self, meter: Meter, seconds: float) -> Outcome:
        used, capacity = meter.used_seconds, meter.capacity_seconds
        return Outcome(
            placed=self.placed,
            unplaced=self.unplaced,
            nodes_used=meter.peak_nodes,
            cost_micro_usd_per_hour=meter.price_seconds // max(1, meter.seconds),
            node_hours_micro_usd=meter.price_seconds // SECONDS_PER_HOUR,
            allocated={n: used.get(n, 0) / capacity[n] if capacity.get(n) else 0.0 for n in ("cpu", "memory", "gpu")},
            moves=self.moves,
            seconds=seconds,
        )
