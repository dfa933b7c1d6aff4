"""Which containers get a size, and from where: container policy and `keep`, a named size, the user's numbers, the recommender."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stowplan.model.quantity import format_bytes
from stowplan.model.reasons import Reason
from stowplan.model.workload_class import Explicit, Scaled, Shape, WorkloadClass, WorkloadPolicy
from webhook.autoscalers import Scaling, Vertical
from webhook.containers import COMPUTE, Container, Role
from webhook.intent import ContainerPolicy, Intent, Keep
from webhook.limit_range import LimitRange
from webhook.node_room import NodeShape
from webhook.recommendation import Recommendation, Recommender, from_table, start_of
from webhook.runtimes import Heap, heap_for
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
    scaling: Scaling
    """HorizontalPodAutoscalers of the workload that divide by requests."""
    vertical: Vertical
    """VerticalPodAutoscalers of the workload that apply what they recommend."""
    node_shapes: tuple[NodeShape, ...]
    """The largest nodes."""
    overhead: Mapping[str, int]
    """Of the pod, beside its containers."""
    limits_counted: frozenset[str]
    """Resources whose limits a quota counts: a container without one would be refused."""
    guaranteed: bool
    """The received pod's QoS class is Guaranteed and stays so."""
    recommender: Recommender

    @property
    def scaled(self) -> Scaled:
        """What becomes of requests that autoscalers divide by: the pod's word, else the namespace's."""
        return self.intent.scaled or (self.policy.scaled if self.policy is not None else Scaled.HOLD)


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
    notes: list[str] = field(default_factory=list)
    """What people should know of it, in the order in which it was decided."""

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
    if _fixed(container, terms):
        return Sizing(container, Reason.FIXED_BY_USER)
    left = terms.vertical.controlled(container)
    if len(left) == len(COMPUTE):
        note = f"the VerticalPodAutoscaler {left[COMPUTE[0]]} sizes it"
        return Sizing(container, Reason.VPA_PRESENT, limited_by={Reason.VPA_PRESENT}, notes=[note])
    sizing = _without_vertical(container, terms, left)
    if left:
        sizing.limited_by.add(Reason.VPA_PRESENT)
        sizing.notes += [f"{resource} left to the VerticalPodAutoscaler {name}" for resource, name in left.items()]
    return sizing


def _without_vertical(container: Container, terms: Terms, left: Mapping[str, str]) -> Sizing:
    """The size of a container whose resources `left` are somebody else's."""
    intent, workload_class = terms.intent, terms.workload_class
    if intent.named_size is not None and container.role is Role.MAIN:
        named = from_table(intent.named_size, intent.shape or Shape.GENERAL, Reason.NAMED_SIZE, "named size")
        named = replace(named, target=_without(named.target, left))
        return Sizing(container, Reason.NAMED_SIZE, dict(named.target), ideal=dict(named.target), recommendation=named)
    found = terms.recommender.recommend(terms.workload, container, workload_class)
    if found is None:
        return Sizing(container, Reason.EXPLICIT_RESPECTED)
    if left:  # what the others' resources would save is not ours to tell
        found = replace(found, target=_without(found.target, left), saving_micro_usd_per_hour=0)
    return _by_recommendation(container, found, terms)


def _without(target: Mapping[str, int], left: Mapping[str, str]) -> dict[str, int]:
    return {resource: amount for resource, amount in target.items() if resource not in left}


def _by_recommendation(container: Container, found: Recommendation, terms: Terms) -> Sizing:
    workload_class = terms.workload_class
    agreed = workload_class.explicit is Explicit.OVERRIDE or terms.intent.consents
    replaces = agreed and not found.halt
    wanted = {r: amount for r, amount in found.target.items() if replaces or not container.written(r)}
    requests, notes = _held(container, wanted, terms)
    if not requests:
        if notes:
            ideal, by = dict(found.target), {Reason.HPA_HELD}
            return Sizing(container, Reason.HPA_HELD, ideal=ideal, recommendation=found, limited_by=by, notes=notes)
        if workload_class.explicit is Explicit.ADVISE:
            return Sizing(container, Reason.EXPLICIT_ADVISED, ideal=dict(found.target), recommendation=found)
        if agreed:
            return Sizing(container, Reason.REGRESSION_HALT, ideal=dict(found.target), recommendation=found)
        return Sizing(container, Reason.EXPLICIT_RESPECTED)
    overridden = any(container.written(r) for r in requests)
    sizing = Sizing(
        container,
        Reason.EXPLICIT_OVERRIDDEN if overridden else found.reason,
        requests,
        ideal=dict(found.target if workload_class.explicit is Explicit.ADVISE else requests),
        replaces_own=overridden,
        recommendation=found,
        limited_by={Reason.HPA_HELD} if notes else set(),
        notes=notes,
    )
    _hold_heap(sizing, terms)
    return sizing


def _held(container: Container, wanted: Mapping[str, int], terms: Terms) -> tuple[dict[str, int], list[str]]:
    """The requests to set, without those that a HorizontalPodAutoscaler divides by, and a note for each of those.

    A request that such an autoscaler needs and nobody has written is set to a size that stays the same: learned ones follow
    the use, which the autoscaler changes, and the two would chase each other.
    """
    requests, notes = dict(wanted), []
    for resource in wanted if terms.scaled is Scaled.HOLD else ():
        autoscaler = terms.scaling.dividing_by(resource, container)
        if autoscaler is None:
            continue
        if resource in container.requests:
            del requests[resource]
            notes.append(f"{resource} held for HorizontalPodAutoscaler {autoscaler.name}")
        else:
            requests[resource] = start_of(container, terms.workload_class).target[resource]
            notes.append(f"{resource} set once for HorizontalPodAutoscaler {autoscaler.name}, which needs a request")
    return requests, notes


def _hold_heap(sizing: Sizing, terms: Terms) -> None:
    """Memory that holds the heap which the runtime was told."""
    heap = heap_of(sizing.container, terms.intent)
    if heap is not None and sizing.requests.get("memory", heap.memory) < heap.memory:
        sizing.requests["memory"] = heap.memory
        sizing.limited_by.add(Reason.HEAP_FLOOR)
        amounts = format_bytes(heap.memory), format_bytes(heap.bytes)
        sizing.notes.append(f"memory raised to {amounts[0]} for a {heap.runtime} heap of {amounts[1]}, {heap.flag}")


def heap_of(container: Container, intent: Intent) -> Heap | None:
    """The fixed heap that the container's memory has to hold."""
    return heap_for(container.heaps, intent.runtime if container.role is Role.MAIN else None)


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
