"""Priority, scheduler, gate, topology spread and preferred capacity type by class. Whatever the user wrote stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stowplan.model.keys import CAPACITY_TYPE, DEFAULT_SCHEDULER_NAME, HOSTNAME, SCHEDULER_NAME, ZONE
from stowplan.model.workload_class import CapacityPreference, Cost, WorkloadClass, ZoneSpread
from webhook.gating import Gate, gate_of
from webhook.intent import Intent, Keep, Spread
from webhook.state import ClusterState, PriorityClass
from webhook.workload import Workload

_IDENTITY: Final = (
    ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"),
    ("app",),
    ("k8s-app",),
    ("pod-template-hash",),
    ("batch.kubernetes.io/job-name",),
    ("job-name",),
)
"""Label sets that say which pods belong together; the first of which any label is there counts."""
_MAX_HOST_SKEW: Final = 48  # Titus spreads a job over hosts in steps of a third, 1 to 48
_DEFAULT_HOST_DIVISOR: Final = 3
_SPOT: Final = "spot"


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes of the pod beside its sizes; empty parts leave it alone."""

    priority: PriorityClass | None = None
    scheduler: bool = False
    gate: Gate = Gate.NONE
    spread: tuple[Mapping[str, Any], ...] = ()
    capacity: tuple[Mapping[str, Any], ...] = ()
    """Preferred node affinity terms."""
    not_chosen: tuple[tuple[str, str], ...] = field(default=())
    """(option, why) for the decision record."""


def effects_of(
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    workload: Workload,
    workload_class: WorkloadClass,
    intent: Intent,
    state: ClusterState,
) -> Effects:
    """The scheduling effects for a pod spec (with what an earlier decision of ours set already taken out)."""
    movable = workload.kind != "DaemonSet" and not spec.get("nodeName")
    places = movable and Keep.PLACEMENT not in intent.keep
    scheduler_name = spec.get("schedulerName") or DEFAULT_SCHEDULER_NAME
    default_scheduler = scheduler_name == DEFAULT_SCHEDULER_NAME
    not_chosen = []
    if places and default_scheduler and not state.scheduler_alive:
        not_chosen.append(("scheduler", "SchedulerNotAlive"))
    sets_scheduler = places and default_scheduler and state.scheduler_alive
    ours = sets_scheduler or (places and scheduler_name == SCHEDULER_NAME)
    gate = gate_of(spec, workload_class, state.policies.get(workload.namespace), ungater_alive=state.ungater_alive)
    if ours and gate is Gate.UNGATER_NOT_ALIVE:
        not_chosen.append(("gate", "UngaterNotAlive"))
    priority = None if Keep.PRIORITY in intent.keep else _priority(spec, workload_class, state)
    if priority is None and Keep.PRIORITY not in intent.keep and not spec.get("priorityClassName"):
        not_chosen.append(("priority", "PriorityClassMissing"))
    return Effects(
        priority=priority,
        scheduler=sets_scheduler,
        gate=gate if ours else Gate.NONE,
        spread=_spread(spec, labels, workload, workload_class, intent, state) if movable else (),
        capacity=_capacity(spec, workload_class) if places else (),
        not_chosen=tuple(not_chosen),
    )


def _priority(spec: Mapping[str, Any], workload_class: WorkloadClass, state: ClusterState) -> PriorityClass | None:
    """Name, value and policy go together, or the Priority plugin's second run refuses the pod."""
    wanted = state.priority_classes.get(workload_class.scheduling.priority_class_name)
    current = spec.get("priorityClassName") or ""
    if wanted is None or wanted.name == current:
        return None
    if current:
        there = state.priority_classes.get(current)
        if there is None or not there.global_default:  # chosen by the user, not by the cluster's default
            return None
    return wanted


def _spread(
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    workload: Workload,
    workload_class: WorkloadClass,
    intent: Intent,
    state: ClusterState,
) -> tuple[Mapping[str, Any], ...]:
    selector = identity_labels(labels)
    if Keep.SPREAD in intent.keep or spec.get("topologySpreadConstraints") or not selector:
        return ()
    replicas = state.replicas.get((workload.namespace, workload.owner_kind, workload.owner_name))
    zone, divisor = _wanted_spread(workload_class, intent.spread)
    constraints = []
    if zone is not None:
        enough = replicas is not None and replicas >= zone.hard_from_replicas and state.zones > 1
        constraints.append(_constraint(ZONE, zone.max_skew, selector, hard=zone.hard and enough))
    if divisor is not None and replicas is not None and replicas > 1:
        skew = max(1, min(_MAX_HOST_SKEW, replicas // divisor))
        constraints.append(_constraint(HOSTNAME, skew, selector, hard=False))
    return tuple(constraints)


def _wanted_spread(workload_class: WorkloadClass, asked: Spread) -> tuple[ZoneSpread | None, int | None]:
    scheduling = workload_class.scheduling
    match asked:
        case Spread.AUTO:
            return scheduling.zone_spread, scheduling.host_skew_divisor
        case Spread.ZONE:
            return scheduling.zone_spread or ZoneSpread(), None
        case Spread.HOST:
            return None, scheduling.host_skew_divisor or _DEFAULT_HOST_DIVISOR
        case Spread.PACK:
            return None, None


def _constraint(topology_key: str, max_skew: int, selector: Mapping[str, str], *, hard: bool) -> dict[str, Any]:
    return {
        "maxSkew": max_skew,
        "topologyKey": topology_key,
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(selector)},
    }


def identity_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that select the pods of one workload; empty where none is known."""
    for keys in _IDENTITY:
        found = {key: labels[key] for key in keys if labels.get(key)}
        if found:
            return found
    return {}


def _capacity(spec: Mapping[str, Any], workload_class: WorkloadClass) -> tuple[Mapping[str, Any], ...]:
    """Preferences only, and only where the class knows spot: a cluster without such labels is not harmed."""
    wanted = {p.type: p.weight for p in _by_cost(workload_class)}
    if _SPOT not in {p.type for p in workload_class.scheduling.capacity} or mentions_capacity(spec):
        return ()
    return tuple(
        {
            "weight": weight,
            "preference": {"matchExpressions": [{"key": CAPACITY_TYPE, "operator": "In", "values": [kind]}]},
        }
        for kind, weight in wanted.items()
    )


def _by_cost(workload_class: WorkloadClass) -> tuple[CapacityPreference, ...]:
    """The class's preferences; cost `safe` keeps its first choice off spot, `save` prefers spot most."""
    listed = workload_class.scheduling.capacity
    weights = sorted((p.weight for p in listed), reverse=True)
    if workload_class.cost is Cost.SAVE:
        return tuple(
            CapacityPreference(p.type, w)
            for p, w in zip(sorted(listed, key=lambda p: p.type != _SPOT), weights, strict=True)
        )
    if workload_class.cost is Cost.SAFE:
        return (CapacityPreference("on-demand", 100),)
    return listed


def mentions_capacity(spec: Mapping[str, Any]) -> bool:
    """Whether the pod itself says something about the capacity type."""
    if CAPACITY_TYPE in (spec.get("nodeSelector") or {}):
        return True
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = list(required.get("nodeSelectorTerms") or ())
    terms += [p.get("preference") or {} for p in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()]
    return any(e.get("key") == CAPACITY_TYPE for term in terms for e in term.get("matchExpressions") or ())
