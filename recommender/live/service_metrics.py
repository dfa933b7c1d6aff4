"""What the running recommender counts and measures about itself."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from recommender.live.feeding import Dropped
from recommender.live.restoring import Damage
from recommender.risk import Risk
from recommender.workloads.fleet import Fleet
from stowplan.serving.metrics import SOLVE_BUCKETS


class ServiceMetrics:
    """The metric families.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        to = registry
        self.active = Gauge(
            "stowplan_recommender_active", "1 while this process holds the Lease and learns.", registry=to
        )
        self.losses = Counter("stowplan_recommender_lease_losses", "Leases lost after they were held.", registry=to)
        self.workloads = Gauge("stowplan_recommender_workloads", "Workloads known.", registry=to)
        self.containers = Gauge("stowplan_recommender_containers", "Containers known.", registry=to)
        self.open_days = Gauge("stowplan_recommender_open_days", "Days that are not closed.", registry=to)
        self.open_runs = Gauge("stowplan_recommender_open_runs", "Runs of jobs that are going on.", registry=to)
        self.days_closed = Counter("stowplan_recommender_days_closed", "Days judged and learned.", registry=to)
        self.runs_closed = Counter("stowplan_recommender_runs_closed", "Runs judged and learned.", registry=to)
        self.forgotten = Counter("stowplan_recommender_workloads_forgotten", "Workloads gone for long.", registry=to)
        self.dropped = Counter(
            "stowplan_recommender_samples_dropped", "Samples that belong to nothing known.", ["reason"], registry=to
        )
        for reason in Dropped:
            self.dropped.labels(reason.value)
        self.damaged = Counter(
            "stowplan_recommender_checkpoints_damaged", "Checkpoints learned again.", ["what"], registry=to
        )
        for what in Damage:
            self.damaged.labels(what.value)
        self.pass_seconds = Histogram(
            "stowplan_recommender_pass_seconds",
            "Duration of a recommendation pass, by scope (all, urgent).",
            ["scope"],
            buckets=SOLVE_BUCKETS,
            registry=to,
        )
        self.pass_at = Gauge(
            "stowplan_recommender_last_pass_timestamp_seconds", "When the last full pass ended.", registry=to
        )
        self.writes = Counter("stowplan_recommender_writes", "Objects written, by kind.", ["kind"], registry=to)
        self.written_bytes = Counter(
            "stowplan_recommender_written_bytes", "Bytes sent with writes, by kind.", ["kind"], registry=to
        )
        self.errors = Counter(
            "stowplan_recommender_errors", "What failed, by part and error.", ["part", "error"], registry=to
        )
        self.checkpoint_bytes = Gauge(
            "stowplan_recommender_checkpoint_bytes", "Size of all open-day checkpoints.", registry=to
        )
        self.checkpoint_age = Gauge(
            "stowplan_recommender_checkpoint_age_seconds",
            "Age of the oldest open-day checkpoint: what a crash would lose now.",
            registry=to,
        )
        self.stepped_back = Gauge(
            "stowplan_recommender_step_backs", "Workloads whose recommendations are the careful ones now.", registry=to
        )
        self.risk = Gauge(
            "stowplan_recommender_risk",
            "Risk by class: declared, and achieved on average over its containers (kind: overrun, unmet, breach).",
            ["class", "kind", "which"],
            registry=to,
        )
        self.within = Gauge(
            "stowplan_recommender_within_declared_ratio",
            "Share of the class's judged containers whose achieved risk is within the declared one.",
            ["class"],
            registry=to,
        )

    def count(self, fleet: Fleet) -> None:
        """How much is known now."""
        self.workloads.set(len(fleet.workloads))
        self.containers.set(fleet.containers)
        self.open_days.set(len(fleet.days))
        self.open_runs.set(sum(len(runs) for runs in fleet.runs.values()))

    def risks(self, name: str, declared: Risk, achieved: Iterable[Risk]) -> None:
        """Declared and achieved risk of the containers of a class."""
        all_achieved = list(achieved)
        within = 0
        for kind in ("overrun", "unmet", "breach"):
            self.risk.labels(name, kind, "declared").set(getattr(declared, kind))
            mean = sum(getattr(one, kind) for one in all_achieved) / max(1, len(all_achieved))
            self.risk.labels(name, kind, "achieved").set(mean)
        for one in all_achieved:
            within += one.overrun <= declared.overrun and one.unmet <= declared.unmet and one.breach <= declared.breach
        if all_achieved:
            self.within.labels(name).set(within / len(all_achieved))
