"""Settings of the planner, all in seconds where they are times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extender.planner.messages import Configure
from stowplan.model.workload_class import WorkloadClass


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """How the planner process works and how it is watched."""

    time_limit_s: float = 1.0
    """Solver time of one plan, over all stages. A burst of pods takes longer than this to be scheduled anyway."""
    latency_budget_permille: int = 0
    """How much of the least price a plan may spend on the soft terms."""
    whole_order: bool = True
    """Whether decisions walk the fill order of plans; else only its beginning is sent."""
    idle_window_s: float = 0.05
    max_window_s: float = 0.2
    """A burst is planned from its first fifth of a second on: by then hardly any of it is scheduled."""
    gather_s: float = 0.05
    """How long events may wait for others, after some were sent: a burst has hundreds a second, and each sending wakes the process up."""
    workers: int = 1
    """Threads of the solver."""
    ping_interval_s: float = 1.0
    hang_timeout_s: float = 30.0
    """Silence after which the process is killed. Above the time of the largest plan: it answers pings only between plans."""
    start_timeout_s: float = 60.0
    """Time for a new process to load its libraries and say so."""
    stale_after_s: float = 60.0
    """Silence after which the last plan is no longer offered."""
    backoff_s: float = 0.5
    """Wait before the first restart; doubled for each failure that follows soon."""
    max_backoff_s: float = 30.0
    healthy_after_s: float = 60.0
    """A process that lived this long is no failure to be counted."""
    greedy_after_failures: int = 2
    """After so many failures in a row the next process plans without the solver."""
    queue: int = 100_000
    """Events kept while the process is busy; beyond it they are dropped and everything is sent again."""

    def configuration(self, classes: Mapping[str, WorkloadClass], time_limit_s: float) -> Configure:
        """What a new process is told, with a time limit that may be lower than ours."""
        return Configure(
            classes,
            time_limit_s,
            self.idle_window_s,
            self.max_window_s,
            self.workers,
            latency_budget_permille=self.latency_budget_permille,
            whole_order=self.whole_order,
        )

    def __post_init__(self) -> None:
        positive = ("idle_window_s", "max_window_s", "ping_interval_s", "hang_timeout_s", "stale_after_s", "queue")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a positive number")
