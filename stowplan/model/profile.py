"""WorkloadProfile: what has been learned about one workload. The recommender writes it, the webhook and the command line read it.

Integers inside: CPU is millicores, memory bytes, money micro-dollars per hour, shares are parts per million, times Unix seconds.
A resource that is left out of a mapping is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stowplan.model.workload_class import Cost


class Confidence(StrEnum):
    """How much history stands behind a recommendation."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Source(StrEnum):
    """What a recommendation was made from."""

    USAGE = "usage"
    """The workload's own usage."""
    STAFFING = "staffing"
    """Square-root staffing over the replicas asked for more than the usage of one."""
    OOM = "oom"
    """An OOM kill asked for more memory than was ever seen used."""
    SIMILAR = "similar"
    """Similar workloads: too little is known of this one."""
    SIMILAR_AND_OWN = "similar-and-own"
    SIZE_TABLE = "size-table"
    SIZE_TABLE_AND_OWN = "size-table-and-own"


class Signal(StrEnum):
    """What got worse since a size was applied."""

    OOM_RATE = "OOMRate"
    THROTTLING = "Throttling"
    RESTARTS = "Restarts"


class WorkloadMode(StrEnum):
    """How far the last decision for the workload went, as the recommender sees it on its pods."""

    OBSERVE = "Observe"
    APPLY = "Apply"


@dataclass(frozen=True, slots=True)
class ContainerRecommendation:
    """The request of one container under one class, and where every number is from."""

    name: str
    target: Mapping[str, int]
    """By resource (`cpu`, `memory`)."""
    lower: Mapping[str, int] = field(default_factory=dict)
    """Below this a request is unsafe."""
    upper: Mapping[str, int] = field(default_factory=dict)
    """Above this a request is waste."""
    confidence: Confidence = Confidence.LOW
    source: Source = Source.USAGE
    formula: str = ""
    """In words and numbers, as a person would check it."""
    samples: int = 0
    days: int = 0
    """Days (of a job: runs) with usage."""
    clamps: tuple[str, ...] = ()
    """The rules that changed the estimate, in the order in which they were applied."""
    saving_micro_usd_per_hour: int = 0
    """Per replica against the current request, at list prices; negative: costs more."""


@dataclass(frozen=True, slots=True)
class ClassRecommendation:
    """The recommendations of a workload's containers under one class."""

    workload_class: str
    cost: Cost
    """The place on the frontier that they were made for."""
    containers: tuple[ContainerRecommendation, ...]


@dataclass(frozen=True, slots=True)
class Risk:
    """Shares in parts per million."""

    overrun: int
    """Of time with use above the request."""
    unmet: int
    """Use above the request, of use."""
    breach: int
    """Of days with memory above the limit, or an OOM kill."""


@dataclass(frozen=True, slots=True)
class AchievedRisk:
    """Declared and achieved on days that were judged before they were learned."""

    declared: Risk
    achieved: Risk
    days: int


@dataclass(frozen=True, slots=True)
class Regression:
    """A step back: until it ends, the recommendations are the careful ones and the webhook says RegressionHalt."""

    signal: Signal
    since_s: int
    until_s: int
    message: str
    """What rose from what to what, in numbers."""
    step: int = 1
    """How often in a row; each doubles how careful the recommendation is."""


@dataclass(frozen=True, slots=True)
class WorkloadProfile:
    """All that is published about one workload."""

    namespace: str
    kind: str
    name: str
    """Of the workload, not of the object; see `object_name`."""
    api_version: str = ""
    updated_s: int = 0
    history_hours: int = 0
    replicas: int = 0
    observed_class: str = ""
    """The class that its pods run with."""
    observed_cost: Cost = Cost.BALANCED
    observed_mode: WorkloadMode | None = None
    recommendations: tuple[ClassRecommendation, ...] = ()
    """One for each class that the namespace allows; the observed class first."""
    risk: AchievedRisk | None = None
    """Under the observed class."""
    regression: Regression | None = None
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    """History by container, as `recommender` encodes it; nobody else reads it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Namespace, kind and name of the workload."""
        return self.namespace, self.kind, self.name

    def under(self, workload_class: str) -> ClassRecommendation | None:
        """The recommendation for a class, or None."""
        return next((r for r in self.recommendations if r.workload_class == workload_class), None)
