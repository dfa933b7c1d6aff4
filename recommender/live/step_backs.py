"""Counts by the hour what befalls each workload, and asks whether it fares worse since its size changed (`recommender.regression`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from recommender.live.pod_index import Running
from recommender.regression.rate_change import Hour
from recommender.regression.regression import apply, observe, stepping_back
from recommender.sources.observation import Incident
from recommender.workloads.fleet import Fleet
from stowplan.model.workload import WorkloadKey

HOUR_S: Final = 3600


@dataclass(slots=True)
class _Counting:
    """The hour that is not over."""

    oom_killed: set[tuple[str, str]] = field(default_factory=set)
    restarted: set[tuple[str, str]] = field(default_factory=set)
    throttled: float = 0.0
    samples: int = 0


class StepBacks:
    """Watches the workloads of one fleet; the watches are kept with them.

    Args:
        fleet: the workloads.
        now_s: Unix seconds at the start.
    """

    def __init__(self, fleet: Fleet, now_s: int) -> None:
        self._fleet = fleet
        self._counting: dict[WorkloadKey, _Counting] = {}
        self._since_s = now_s

    def incident(self, key: WorkloadKey, incident: Incident) -> None:
        """Something befell a container of a workload.

        What is older than an hour before the present one says nothing about it: pods show their last end for as long as they live, and who
        starts anew is told of all of them.
        """
        if incident.t_s < self._since_s - HOUR_S:
            return
        counting = self._counting.setdefault(key, _Counting())
        kind = counting.oom_killed if incident.kind.for_memory else counting.restarted
        kind.add((incident.pod_uid, incident.container))

    def throttled(self, key: WorkloadKey, share: float) -> None:
        """A sample with a known share of throttled periods."""
        counting = self._counting.setdefault(key, _Counting())
        counting.throttled += share
        counting.samples += 1

    def due(self, now_s: int) -> bool:
        """Whether an hour is over."""
        return now_s // HOUR_S > self._since_s // HOUR_S

    def close_hour(self, running: Mapping[WorkloadKey, Running], now_s: int) -> int:
        """Learn the hour that is over; how many workloads have begun to step back."""
        begun = 0
        share = min(1.0, (now_s - self._since_s) / HOUR_S)
        for key, pods in running.items():
            tracked = self._fleet.workloads.get(key)
            if tracked is None:
                continue
            containers = pods.template.containers
            before = stepping_back(tracked.watch, now_s)
            watch = apply(tracked.watch, {c.name: (c.cpu, c.memory) for c in containers}, now_s)
            counting = self._counting.get(key, _Counting())
            hour = Hour(
                pods.replicas * len(containers) * share,
                len(counting.oom_killed),
                len(counting.restarted),
                counting.throttled / counting.samples if counting.samples else math.nan,
            )
            tracked.watch = observe(watch, hour, now_s)
            if stepping_back(tracked.watch, now_s) != before:
                tracked.urgent = True
                tracked.version += 1
                begun += 1
        self._counting = {}
        self._since_s = now_s
        return begun
