"""What the server needs of a planner, the one that never plans, and the choice between it and the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from extender.cluster.cache import Event
from extender.lifetimes.node_values import NodeValues
from extender.plan import EMPTY_PLAN, Plan
from extender.planner.client import PlannerClient, PlannerStats
from extender.planner.settings import PlannerSettings
from extender.scoring import DEFAULT_STRATEGY
from extender.settings import ExtenderSettings
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import WorkloadClass


class Planner(Protocol):
    """A source of plans that follows the cache. No call blocks or raises."""

    stats: PlannerStats
    """Counts since the start."""

    @property
    def current(self) -> Plan:
        """The plan of now."""

    @property
    def values(self) -> NodeValues | None:
        """What was learned about nodes so far; None where nothing was."""

    def send(self, method: str, *args: object) -> object:
        """Hand on an event of the cache: the name of a `Cache` method and its arguments."""

    def set_classes(self, classes: Mapping[str, WorkloadClass]) -> None:
        """The workload classes have changed."""

    async def start(self) -> None:
        """Begin to plan."""

    async def stop(self) -> None:
        """End; nothing is left running."""


class NoPlanner:
    """Plans nothing: every decision is greedy."""

    def __init__(self) -> None:
        self.stats = PlannerStats()

    @property
    def current(self) -> Plan:
        """The empty plan."""
        return EMPTY_PLAN

    @property
    def values(self) -> NodeValues | None:
        """Nothing is learned."""
        return None

    def send(self, method: str, *args: object) -> object:
        """Nobody is interested."""

    def set_classes(self, classes: Mapping[str, WorkloadClass]) -> None:
        """Nobody is interested."""

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


def planner_of(settings: ExtenderSettings, resync: Callable[[], list[Event]]) -> Planner:
    """The planner that the settings ask for; `resync` gives the events of a full resync."""
    if not settings.planner:
        return NoPlanner()
    return PlannerClient(
        resync,
        BUILTIN_CLASSES,
        PlannerSettings(
            time_limit_s=settings.solver_seconds,
            latency_budget_permille=round(settings.latency_budget * 10),
            whole_order=settings.strategy != DEFAULT_STRATEGY,
        ),
    )
