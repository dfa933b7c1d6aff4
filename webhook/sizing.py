"""Which containers get a size, and from where: container policy and `keep`, a named size, the user's numbers, the recommender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stowplan.model.reasons import Reason
from stowplan.model.workload_class import Explicit, Shape, WorkloadClass, WorkloadPolicy
from webhook.containers import Container, Role
from webhook.intent import ContainerPolicy, Intent, Keep
from webhook.limit_range import LimitRange
from webhook.recommendation import Recommendation, Recommender, from_table
from webhook.workload import Workload


@dataclass(frozen=True, slots=True)
class Terms:
    """All that decides the sizes of one pod."""

    workload: Workload
    workload_class: WorkloadClass
    """With the pod's own latency, cost and shape."""
    intent: Intent
    policy: WorkloadPolicy | None
    ranges: tuple[LimitRange, ...]
    limits_counted: frozenset[str]
    """Resources whose limits a quota counts: a container without one would be refused."""
    guaranteed: bool
    """The received pod's QoS class is Guaranteed and stays so."""
    recommender: Recommender


@dataclass(slots=True)
class Sizing:
    """The sizes of one container while they are decided; amounts are millicores and bytes."""

    container: Container
    reason: Reason
    requests: dict[str, int] = field(default_factory=dict)
    """Set by stowplan; a resource left out stays as it is."""
    limits: dict[str, int] = field(default_factory=dict)
    ideal: dict[str, int] = field(default_factory=dict)
    """What was recommended before capping, also where only advised."""
    replaces_own: bool = False
    """The user's numbers, limits included, may be replaced."""
    recommendation: Recommendation | None = None
    limited_by: set[Reason] = field(default_factory=set)

    def request(self, resource: str) -> int:
        """The request after this sizing, 0 where there is none."""
        return self.requests.get(resource, self.container.requests.get(resource, 0))

    def limit(self, resource: str) -> int | None:
        """The limit after this sizing."""
        return self.limits.get(resource, self.container.limits.get(resource))

    @property
    def changes(self) -> bool:
        """Whether anything is set."""
        return bool(self.requests or self.limits)


def choose(container: Container, terms: Terms) -> Sizing:
    """The size of a container before capping, by precedence."""
    intent, workload_class = terms.intent, terms.workload_class
    if _fixed(container, terms):
        return Sizing(container, Reason.FIXED_BY_USER)
    if intent.named_size is not None and container.role is Role.MAIN:
        named = from_table(intent.named_size, intent.shape or Shape.GENERAL, Reason.NAMED_SIZE, "named size")
        return Sizing(container, Reason.NAMED_SIZE, dict(named.target), ideal=dict(named.target), recommendation=named)
    found = terms.recommender.recommend(terms.workload, container, workload_class)
    if found is None:
        return Sizing(container, Reason.EXPLICIT_RESPECTED)
    return _by_recommendation(container, found, terms)


def _by_recommendation(container: Container, found: Recommendation, terms: Terms) -> Sizing:
    workload_class = terms.workload_class
    agreed = workload_class.explicit is Explicit.OVERRIDE or terms.intent.consents
    replaces = agreed and not found.halt
    requests = {r: amount for r, amount in found.target.items() if replaces or not container.written(r)}
    if not requests:
        if workload_class.explicit is Explicit.ADVISE:
            return Sizing(container, Reason.EXPLICIT_ADVISED, ideal=dict(found.target), recommendation=found)
        if agreed:
            return Sizing(container, Reason.REGRESSION_HALT, ideal=dict(found.target), recommendation=found)
        return Sizing(container, Reason.EXPLICIT_RESPECTED)
    overridden = any(container.written(r) for r in requests)
    return Sizing(
        container,
        Reason.EXPLICIT_OVERRIDDEN if overridden else found.reason,
        requests,
        ideal=dict(found.target if workload_class.explicit is Explicit.ADVISE else requests),
        replaces_own=overridden,
        recommendation=found,
    )


def _fixed(container: Container, terms: Terms) -> bool:
    keep = terms.intent.keep
    if terms.guaranteed and Keep.LIMITS in keep:  # requests cannot move without their limits
        return True
    return Keep.SIZE in keep or terms.intent.policies.get(container.name, ContainerPolicy.AUTO) != ContainerPolicy.AUTO


def pod_total(sizings: Sequence[Sizing], amount: Callable[[Sizing], int]) -> int:
    """A pod's effective amount: apps and sidecars together, or an init container with the sidecars before it (KEP-753)."""
    running = sum(amount(s) for s in sizings if s.container.list_name == "containers")
    sidecars = peak = 0
    for sizing in sizings:
        if sizing.container.role is Role.SIDECAR:
            sidecars += amount(sizing)
            peak = max(peak, sidecars)
        elif sizing.container.role is Role.INIT:
            peak = max(peak, sidecars + amount(sizing))
    return max(running + sidecars, peak)


def main_first(sizings: Sequence[Sizing]) -> list[Sizing]:
    """The order in which containers give way to a bound of the whole pod."""
    return sorted(sizings, key=lambda s: s.container.role is not Role.MAIN)
