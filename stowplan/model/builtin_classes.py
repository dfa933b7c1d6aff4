"""The five built-in classes (start values; sources in `docs/reference/classes.md`). `manifests/` is generated from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stowplan.model.workload_class import (
    CapacityPreference,
    ColdStart,
    Cost,
    CpuSizing,
    DeclaredRisk,
    Explicit,
    Latency,
    Limits,
    MemorySizing,
    Scheduling,
    ScoreWeights,
    Shape,
    Size,
    Step,
    WorkloadClass,
    ZoneSpread,
)

DEFAULT_CLASS: Final = "standard"


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """A PriorityClass as the Priority admission plugin resolves it: all three must be set together."""

    name: str
    value: int
    preempts: bool

    @property
    def preemption_policy(self) -> str:
        """The API's word for `preempts`."""
        return "PreemptLowerPriority" if self.preempts else "Never"


PRIORITY_CLASSES: Final = (
    PriorityClass("stowplan-critical", 90_000, preempts=True),
    PriorityClass("stowplan-standard", 70_000, preempts=True),
    PriorityClass("stowplan-elastic", 50_000, preempts=False),
    PriorityClass("stowplan-batch", 30_000, preempts=False),
    PriorityClass("stowplan-dev", 10_000, preempts=False),
)

_CRITICAL: Final = WorkloadClass(
    name="critical",
    description="The product does not function without it.",
    tier=0,
    latency=Latency.TIGHT,
    cost=Cost.SAFE,
    explicit=Explicit.RESPECT,
    cpu=CpuSizing(99, 15, 2375, window_days=14, min_history_hours=7 * 24),
    memory=MemorySizing(100, 20),
    risk=DeclaredRisk(3, 4, 2),
    limits=Limits(cpu_percent=None, memory_percent=100),
    step=Step(max_down_percent=10),
    scheduling=Scheduling(
        priority_class_name="stowplan-critical",
        weights=ScoreWeights(pack=5, cost=10, latency=60, spread=25),
        max_node_load_percent=55,
        zone_spread=ZoneSpread(hard=True),
        host_skew_divisor=3,
        capacity=(CapacityPreference("on-demand", 100),),
    ),
)
_STANDARD: Final = WorkloadClass(
    name="standard",
    description="A service with a fallback. The default.",
    tier=1,
    latency=Latency.NORMAL,
    cost=Cost.BALANCED,
    explicit=Explicit.RESPECT,
    cpu=CpuSizing(95, 15, 1761, window_days=14, min_history_hours=3 * 24),
    memory=MemorySizing(100, 15),
    risk=DeclaredRisk(6, 8, 4),
    limits=Limits(cpu_percent=None, memory_percent=125),
    scheduling=Scheduling(
        priority_class_name="stowplan-standard",
        weights=ScoreWeights(pack=35, cost=20, latency=30, spread=15),
        max_node_load_percent=65,
        zone_spread=ZoneSpread(),
        host_skew_divisor=3,
        capacity=(CapacityPreference("on-demand", 80), CapacityPreference("spot", 20)),
    ),
)
_ELASTIC: Final = WorkloadClass(
    name="elastic",
    description="A stateless service that tolerates interruption; spot first.",
    tier=2,
    latency=Latency.NORMAL,
    cost=Cost.BALANCED,
    explicit=Explicit.RESPECT,
    cpu=CpuSizing(90, 10, 1160, window_days=7, min_history_hours=3 * 24),
    memory=MemorySizing(100, 15),
    risk=DeclaredRisk(10, 15, 5),
    limits=Limits(cpu_percent=None, memory_percent=125),
    scheduling=Scheduling(
        priority_class_name="stowplan-elastic",
        weights=ScoreWeights(pack=45, cost=35, latency=15, spread=5),
        max_node_load_percent=75,
        zone_spread=ZoneSpread(),
        host_skew_divisor=3,
        capacity=(CapacityPreference("spot", 80), CapacityPreference("on-demand", 20)),
    ),
)
_BATCH: Final = WorkloadClass(
    name="batch",
    description="Runs to completion; throughput counts, not latency.",
    tier=3,
    latency=Latency.RELAXED,
    cost=Cost.SAVE,
    explicit=Explicit.RESPECT,
    cpu=CpuSizing(75, 0, None, window_days=7, min_history_hours=24),
    memory=MemorySizing(100, 10),
    risk=DeclaredRisk(25, 20, 7),
    limits=Limits(cpu_percent=200, memory_percent=125),
    cold_start=ColdStart(Size.M, Shape.CPU),
    step=Step(max_down_percent=50),
    scheduling=Scheduling(
        priority_class_name="stowplan-batch",
        weights=ScoreWeights(pack=55, cost=45, latency=0, spread=0),
        max_node_load_percent=85,
        capacity=(CapacityPreference("spot", 100),),
    ),
)
_DEV: Final = WorkloadClass(
    name="dev",
    description="Somebody's experiment; may wait and may be moved.",
    tier=3,
    latency=Latency.RELAXED,
    cost=Cost.SAVE,
    explicit=Explicit.RESPECT,
    cpu=CpuSizing(50, 0, None, window_days=3, min_history_hours=24),
    memory=MemorySizing(95, 10),
    risk=DeclaredRisk(50, 40, 12),
    limits=Limits(cpu_percent=200, memory_percent=150),
    cold_start=ColdStart(Size.S),
    step=Step(max_down_percent=0, cooldown_hours=0),
    scheduling=Scheduling(
        priority_class_name="stowplan-dev",
        weights=ScoreWeights(pack=60, cost=40, latency=0, spread=0),
        max_node_load_percent=85,
        capacity=(CapacityPreference("spot", 100),),
    ),
)

BUILTIN_CLASSES: Final = {c.name: c for c in (_CRITICAL, _STANDARD, _ELASTIC, _BATCH, _DEV)}
