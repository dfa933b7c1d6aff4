"""What would change for which workload: recommendations of WorkloadProfiles held against the requests in force, priced.

Pure: profiles, requests in force, prices and the time come in; rows, totals and the JSON of `stowplan recommend -o json` come out
(docs/reference/recommend.md). A resource that a container does not request now costs nothing now, so nothing is saved or lost on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from recommender.sizing.prices import Prices
from stowplan.model.profile import (
    ClassRecommendation,
    Confidence,
    ContainerRecommendation,
    Regression,
    Risk,
    Source,
    WorkloadProfile,
)

SCHEMA_VERSION: Final = 1
HOURS_PER_MONTH: Final = 730
RESOURCES: Final = ("cpu", "memory")
RUN_KINDS: Final = frozenset({"Job", "CronJob"})
"""What ends by itself is not running all month: no monthly saving is stated."""
_CONFIDENCES: Final = tuple(Confidence)
PPM: Final = 1_000_000

Amounts = Mapping[str, int]
"""By resource: millicores, bytes."""


class Sort(StrEnum):
    """What the rows are ordered by; ties by name."""

    SAVING = "saving"
    """Largest saving first."""
    CPU = "cpu"
    """Largest change of the requested CPU, all pods together, first."""
    MEMORY = "memory"
    RISK = "risk"
    """Largest share of the declared risk used first."""
    NAME = "name"


@dataclass(frozen=True, slots=True)
class InForce:
    """What a workload's pods request now."""

    pods: tuple[Mapping[str, Amounts], ...]
    """Requests by container of each pod that has not finished."""
    init: frozenset[str] = frozenset()
    """Init containers that end: a pod requests the largest of them or the sum of the others, so they are in no sum."""

    def typical(self, container: str) -> Amounts:
        """The most common request of a container by resource, the larger of equals; a resource nobody requests is left out."""
        found = {}
        for resource in RESOURCES:
            counts = Counter(pod[container][resource] for pod in self.pods if pod.get(container, {}).get(resource))
            if counts:
                found[resource] = max(counts, key=lambda amount: (counts[amount], amount))
        return found

    @property
    def containers(self) -> tuple[str, ...]:
        """Names of the containers of all pods."""
        return tuple(dict.fromkeys(name for pod in self.pods for name in pod))


@dataclass(frozen=True, slots=True)
class Proposal:
    """One workload: what it requests, what it should request, and what that is worth."""

    profile: WorkloadProfile
    recommendation: ClassRecommendation | None
    """Under the class asked for; None: the profile holds none."""
    in_force: InForce | None
    """None: no pod and no template of the workload is known."""
    halt: Regression | None
    """The step back that is going on."""
    saving_micro_usd_per_hour: int | None
    """Of all pods together, by the pods or else as the profile states it; negative: costs more. None: not known, or the workload
    ends by itself."""

    @property
    def name(self) -> str:
        """`namespace/kind/name`."""
        return "/".join(self.profile.key)

    @property
    def replicas(self) -> int:
        """Pods that request now; what the recommender last saw, where that is not known."""
        return len(self.in_force.pods) if self.in_force is not None else self.profile.replicas

    @property
    def targets(self) -> tuple[ContainerRecommendation, ...]:
        """The recommended containers."""
        return self.recommendation.containers if self.recommendation is not None else ()

    @property
    def _summed(self) -> tuple[ContainerRecommendation, ...]:
        init = self.in_force.init if self.in_force is not None else frozenset[str]()
        return tuple(t for t in self.targets if t.name not in init)

    @property
    def confidence(self) -> Confidence | None:
        """The least of the containers'."""
        return min((t.confidence for t in self.targets), key=_CONFIDENCES.index, default=None)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Of the containers, each once."""
        return tuple(dict.fromkeys(t.source for t in self.targets))

    @property
    def risk_used(self) -> float | None:
        """The largest of achieved / declared risk; above 1 the workload risks more than its class declares. None: not judged yet."""
        risk = self.profile.risk
        if risk is None or not risk.days:
            return None
        return max(_used(risk.achieved, risk.declared))

    def current(self, resource: str) -> int | None:
        """Requested by one pod, as most pods do; None where that is not known."""
        if self.in_force is None:
            return None
        return sum(self.in_force.typical(t.name).get(resource, 0) for t in self._summed)

    def recommended(self, resource: str) -> int | None:
        """For one pod; None where no container has a recommendation."""
        amounts = [t.target[resource] for t in self._summed if resource in t.target]
        return sum(amounts) if amounts else None

    def change(self, resource: str) -> int:
        """Recommended - current, all pods together; 0 where it is not known."""
        current, recommended = self.current(resource), self.recommended(resource)
        return 0 if current is None or recommended is None else (recommended - current) * self.replicas


def _used(achieved: Risk, declared: Risk) -> list[float]:
    pairs = [
        (achieved.overrun, declared.overrun),
        (achieved.unmet, declared.unmet),
        (achieved.breach, declared.breach),
    ]
    return [a / d if d else (0.0 if a == 0 else float("inf")) for a, d in pairs]


def propose(
    profile: WorkloadProfile, in_force: InForce | None, prices: Prices, now_s: int, under: str | None = None
) -> Proposal:
    """The proposal for one workload, under its own class or another one."""
    if under is not None:
        recommendation = profile.under(under)
    else:
        first = profile.recommendations[0] if profile.recommendations else None
        recommendation = profile.under(profile.observed_class) or first
    halt = profile.regression if profile.regression is not None and now_s < profile.regression.until_s else None
    return Proposal(profile, recommendation, in_force, halt, _saving(profile, recommendation, in_force, prices))


def _saving(
    profile: WorkloadProfile, recommendation: ClassRecommendation | None, in_force: InForce | None, prices: Prices
) -> int | None:
    if recommendation is None or profile.kind in RUN_KINDS:
        return None
    if in_force is None:  # what the recommender stated when it last saw the pods
        stated = sum(container.saving_micro_usd_per_hour for container in recommendation.containers)
        return stated * profile.replicas if profile.replicas else None
    saved = dict.fromkeys(RESOURCES, 0)
    for container in (c for c in recommendation.containers if c.name not in in_force.init):
        for resource in set(RESOURCES) & set(container.target):
            now = [pod[container.name][resource] for pod in in_force.pods if pod.get(container.name, {}).get(resource)]
            saved[resource] += sum(now) - len(now) * container.target[resource]
    return prices.of(saved["cpu"], saved["memory"])


def ordered(proposals: Iterable[Proposal], by: Sort) -> list[Proposal]:
    """Sorted rows; what is not known comes last."""

    def key(proposal: Proposal) -> tuple[float, str]:
        values: dict[Sort, float | None] = {
            Sort.SAVING: proposal.saving_micro_usd_per_hour,
            Sort.CPU: abs(proposal.change("cpu")),
            Sort.MEMORY: abs(proposal.change("memory")),
            Sort.RISK: proposal.risk_used,
            Sort.NAME: 0,
        }
        value = values[by]
        return (float("inf") if value is None else -value, proposal.name)

    return sorted(proposals, key=key)


def totals(proposals: Sequence[Proposal]) -> dict[str, Any]:
    """Sums over all workloads; requests over those whose pods are known, the saving over those where it is."""
    compared = [p for p in proposals if p.in_force is not None and p.targets]

    def total(amounts: Iterable[int | None]) -> int:
        return sum((amount or 0) * p.replicas for amount, p in zip(amounts, compared, strict=True))

    return {
        "workloads": len(proposals),
        "compared": len(compared),
        "priced": sum(p.saving_micro_usd_per_hour is not None for p in proposals),
        "halted": sum(p.halt is not None for p in proposals),
        "over_declared_risk": sum((p.risk_used or 0) > 1 for p in proposals),
        "current": {
            "cpu_millicores": total(p.current("cpu") for p in compared),
            "memory_bytes": total(p.current("memory") for p in compared),
        },
        "recommended": {
            "cpu_millicores": total(p.recommended("cpu") for p in compared),
            "memory_bytes": total(p.recommended("memory") for p in compared),
        },
        "saving_micro_usd_per_month": sum(p.saving_micro_usd_per_hour or 0 for p in proposals) * HOURS_PER_MONTH,
    }
