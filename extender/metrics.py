"""What the extender counts. The decisions' labels are the closed enum `extender.deciding.outcomes.Outcome`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from extender.feeding.polling import PollOutcome
from extender.plan import EMPTY_PLAN, Plan
from extender.planner.client import PlannerStats
from stowplan.model.money import dollars
from stowplan.serving.metrics import LATENCY_BUCKETS, SOLVE_BUCKETS

SOURCES: Final = ("cp-sat", "greedy")


class ExtenderMetrics:
    """The metric families of the extender.

    Args:
        registry: where they are registered; a private one when absent.
        clock: monotonic seconds, for the age of the plan.
    """

    def __init__(self, clock: Callable[[], float], registry: CollectorRegistry | None = None) -> None:
        to = registry if registry is not None else CollectorRegistry()
        self._clock = clock
        self._published_at: float | None = None
        self.duration = Histogram(
            "stowplan_extender_request_duration_seconds",
            "Time from the whole body read to the answer encoded.",
            ["verb"],
            buckets=LATENCY_BUCKETS,
            registry=to,
        )
        self.decisions = Counter(
            "stowplan_extender_decisions",
            "Calls by verb and outcome; planned over all is the plan's hit rate.",
            ["verb", "outcome"],
            registry=to,
        )
        self.not_offered = Counter(
            "stowplan_extender_planned_node_not_offered",
            "Nodes with a slot for the pod that the scheduler did not offer.",
            registry=to,
        )
        self.stale = Counter(
            "stowplan_extender_stale_slots", "Slots on nodes that were offered but had no room.", registry=to
        )
        self.reservations = Gauge("stowplan_extender_reservations", "Pods answered for, not yet bound.", registry=to)
        self.reservations_expired = Counter(
            "stowplan_extender_reservations_expired", "Reservations that ended by TTL.", registry=to
        )
        self.polls = Counter(
            "stowplan_extender_polls", "Readings of optional APIs.", ["source", "outcome"], registry=to
        )
        self.loads = Gauge("stowplan_extender_measured_nodes", "Nodes with a measured load.", registry=to)
        self.gpu_kinds = Gauge(
            "stowplan_extender_gpu_kinds",
            "Kinds of pods by which GPU fragments are weighed; 0 while they are not.",
            registry=to,
        )
        self.nominations = Counter(
            "stowplan_extender_nominations",
            "Writes of status.nominatedNodeName, by what became of them.",
            ["event"],
            registry=to,
        )
        self.evictions = Counter(
            "stowplan_extender_rescue_evictions", "Evictions asked for to rescue a pod.", ["outcome"], registry=to
        )
        self._plan_metrics(to)

    def _plan_metrics(self, to: CollectorRegistry) -> None:
        self.plans = Counter("stowplan_plan_published", "Plans published, by source.", ["source"], registry=to)
        self.solve = Histogram(
            "stowplan_plan_solve_seconds", "Time to make a published plan.", buckets=SOLVE_BUCKETS, registry=to
        )
        self.cost = Gauge("stowplan_plan_cost_dollars_per_hour", "Nodes in use once the plan is done.", registry=to)
        self.bound = Gauge("stowplan_plan_bound_dollars_per_hour", "Proven lower bound of that cost.", registry=to)
        self.gap = Gauge("stowplan_plan_gap_ratio", "Distance of cost and bound over cost.", registry=to)
        self.placed = Gauge("stowplan_plan_placed_pods", "Pods with a slot.", registry=to)
        self.unplaced = Gauge("stowplan_plan_unplaced_pods", "Pods that the plan could not place.", registry=to)
        self.drain = Gauge("stowplan_plan_drain_nodes", "Nodes in use that are starved to run empty.", registry=to)
        self.rescuable = Gauge(
            "stowplan_plan_rescuable_pods", "Unplaced pods for which a rearrangement would make room.", registry=to
        )
        self.generation = Gauge("stowplan_plan_generation", "Cache generation the plan was made from.", registry=to)
        self.source = Gauge("stowplan_plan_source", "1 at the plan's source.", ["source"], registry=to)
        age = Gauge("stowplan_plan_age_seconds", "Seconds since the plan came; -1 before the first.", registry=to)
        age.set_function(self._plan_age)
        self._planner = Gauge("stowplan_planner_events", "What befell the planner process.", ["event"], registry=to)

    def _plan_age(self) -> float:
        return -1.0 if self._published_at is None else self._clock() - self._published_at

    def published(self, plan: Plan) -> None:
        """A new plan is in use."""
        if plan is EMPTY_PLAN:
            return
        self._published_at = self._clock()
        self.plans.labels(plan.source).inc()
        self.solve.observe(plan.solve_ms / 1000)
        self.cost.set(dollars(plan.cost_micro_usd_per_hour))
        self.bound.set(dollars(plan.bound_micro_usd_per_hour))
        self.gap.set(plan.gap_permille / 1000)
        self.placed.set(plan.placed)
        self.unplaced.set(sum(unplaced.count for unplaced in plan.unplaced))
        self.drain.set(len(plan.drain))
        helped = {found.signature for found in plan.rescues}
        self.rescuable.set(sum(unplaced.count for unplaced in plan.unplaced if unplaced.signature in helped))
        self.generation.set(plan.generation)
        for source in {*SOURCES, plan.source}:
            self.source.labels(source).set(source == plan.source)

    def polled(self, source: str, outcome: PollOutcome) -> None:
        """An optional API was read, or not."""
        self.polls.labels(source, outcome.value).inc()

    def planner(self, stats: PlannerStats) -> None:
        """What the planner's client has counted since the start."""
        self._planner.labels("restart").set(stats.restarts)
        self._planner.labels("hang").set(stats.hangs)
        self._planner.labels("failed_plan").set(stats.failed_plans)
        self._planner.labels("solver_failure").set(stats.solver_failures)
        self._planner.labels("resync").set(stats.resyncs)
        self._planner.labels("overflow").set(stats.overflows)
