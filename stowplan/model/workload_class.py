"""WorkloadClass and WorkloadPolicy: what one word on a pod expands to, and what a namespace allows.

Integers inside: percentages are whole percents, CPU millicores, memory bytes, the staffing factor thousandths.
Start values and their sources (Netflix tiers, Autopilot, Koordinator) are in `docs/reference/classes.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Explicit(StrEnum):
    """What becomes of resources that the user wrote."""

    RESPECT = "Respect"
    ADVISE = "Advise"
    OVERRIDE = "Override"


class RolloutMode(StrEnum):
    """How far a class goes: annotate only, a stable share of workloads, or all."""

    OBSERVE = "Observe"
    CANARY = "Canary"
    APPLY = "Apply"


class Scaled(StrEnum):
    """What becomes of a request that a HorizontalPodAutoscaler divides by."""

    HOLD = "hold"
    ALLOW = "allow"


class Latency(StrEnum):
    """How sensitive to delay; decides headroom and score weights."""

    TIGHT = "tight"
    NORMAL = "normal"
    RELAXED = "relaxed"


class Cost(StrEnum):
    """Where on the frontier between cost and safety."""

    SAVE = "save"
    BALANCED = "balanced"
    SAFE = "safe"


class Shape(StrEnum):
    """CPU to memory ratio of named sizes: general 1:4, cpu 1:2, memory 1:8 (vCPU : GiB)."""

    GENERAL = "general"
    CPU = "cpu"
    MEMORY = "memory"


class Size(StrEnum):
    """Named sizes; `auto` leaves the size to the platform."""

    AUTO = "auto"
    XS = "xs"
    S = "s"
    M = "m"
    L = "l"
    XL = "xl"
    XXL = "2xl"
    X4L = "4xl"
    X8L = "8xl"


@dataclass(frozen=True, slots=True)
class CpuSizing:
    """How CPU is recommended from usage (used by the recommender)."""

    percentile: int
    margin_percent: int
    staffing_factor_thousandths: int | None
    window_days: int
    min_history_hours: int


@dataclass(frozen=True, slots=True)
class MemorySizing:
    """How memory is recommended from usage; percentile 100 is the peak."""

    percentile: int
    margin_percent: int
    oom_bump_percent: int = 120


@dataclass(frozen=True, slots=True)
class DeclaredRisk:
    """The risk that recommendations are calibrated to: what a container's long-run average keeps within, in whole percent."""

    overrun_percent: int = 6
    """Of time, with CPU use above the request."""
    unmet_percent: int = 8
    """CPU use above the request, of use."""
    breach_percent: int = 4
    """Of days, with memory above the limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits as a percentage of the request; None sets no limit."""

    cpu_percent: int | None
    memory_percent: int | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Per container."""

    cpu_min: int = 25
    cpu_max: int = 16_000
    memory_min: int = 64 * 2**20
    memory_max: int = 64 * 2**30


@dataclass(frozen=True, slots=True)
class Step:
    """Largest change at once, in percent of the current value; 0 is no bound."""

    max_down_percent: int = 30
    max_up_percent: int = 0
    cooldown_hours: int = 24


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Size of a container about which nothing is known."""

    size: Size = Size.M
    shape: Shape = Shape.GENERAL


@dataclass(frozen=True, slots=True)
class ZoneSpread:
    """Topology spread over zones. `hard` (DoNotSchedule) is used only from `hard_from_replicas` replicas on, soft below."""

    max_skew: int = 1
    hard: bool = False
    hard_from_replicas: int = 3


@dataclass(frozen=True, slots=True)
class CapacityPreference:
    """A capacity type (`on-demand`, `spot`) and its weight, 1 to 100."""

    type: str
    weight: int


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """Shares of the placement terms; they sum to 100."""

    pack: int
    cost: int
    latency: int
    spread: int


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The scheduling intent of a class."""

    priority_class_name: str
    weights: ScoreWeights
    max_node_load_percent: int
    """Above this share of a node's CPU being requested, further packing costs latency."""
    zone_spread: ZoneSpread | None = None
    host_skew_divisor: int | None = None
    """Soft spread over hosts with skew clamp(replicas // divisor, 1, 48) (Titus); None: packed."""
    capacity: tuple[CapacityPreference, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far the class is rolled out; `percent` of workloads by stable hash in Canary."""

    mode: RolloutMode = RolloutMode.APPLY
    percent: int = 100


@dataclass(frozen=True, slots=True)
class WorkloadClass:
    """What one word expands to. `revision` counts published changes (`status.revision`, else metadata.generation)."""

    name: str
    description: str
    tier: int
    latency: Latency
    cost: Cost
    explicit: Explicit
    cpu: CpuSizing
    memory: MemorySizing
    limits: Limits
    scheduling: Scheduling
    risk: DeclaredRisk = field(default_factory=DeclaredRisk)
    bounds: Bounds = field(default_factory=Bounds)
    step: Step = field(default_factory=Step)
    cold_start: ColdStart = field(default_factory=ColdStart)
    rollout: Rollout = field(default_factory=Rollout)
    lifecycle: str = "stable"
    replaced_by: str = ""
    revision: int = 1

    @property
    def label(self) -> str:
        """Name and revision as outputs show them: `standard.r7`."""
        return f"{self.name}.r{self.revision}"


@dataclass(frozen=True, slots=True)
class WorkloadPolicy:
    """Guardrails of one namespace. Empty `allowed_classes` allows all; a bound of 0 is none."""

    namespace: str
    default_class: str = ""
    allowed_classes: tuple[str, ...] = ()
    max_cpu_per_pod: int = 0
    max_memory_per_pod: int = 0
    rollout: Rollout | None = None
    """How far classes are rolled out in the namespace; the more careful of this and the class's counts."""
    gate: bool = False
    """Whether pods that may wait (latency `relaxed`) are held by a scheduling gate until the plan has a place for them."""
    scaled: Scaled = Scaled.HOLD
    """Of pods that do not say themselves."""
