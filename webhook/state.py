"""What the webhook knows of the cluster: one view per request, without copies, fed by reflectors or read from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stowplan.model.builtin_classes import BUILTIN_CLASSES, PRIORITY_CLASSES
from stowplan.model.workload import ControllerOf, WorkloadKey, nothing_seen
from stowplan.model.workload_class import WorkloadClass, WorkloadPolicy
from webhook.autoscalers import Scaling, Vertical
from webhook.limit_range import LimitRange
from webhook.node_room import NodeShape
from webhook.profiles import LearnedProfile
from webhook.quota import Quota

OwnerKey = tuple[str, str, str]
"""Namespace, kind and name of a pod's controlling owner."""
PROFILE_MAX_AGE_S: Final = 14 * 86_400
"""A profile that nobody has renewed for this long says nothing any more: the longest window that sizes are learned from."""


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """A PriorityClass of the cluster."""

    name: str
    value: int
    preemption_policy: str = "PreemptLowerPriority"
    global_default: bool = False


@dataclass(frozen=True, slots=True)
class ClusterState:
    """Read-only. The mappings may be live stores: a decision is synchronous, so they cannot change under it."""

    classes: Mapping[str, WorkloadClass] = field(default_factory=lambda: BUILTIN_CLASSES)
    policies: Mapping[str, WorkloadPolicy] = field(default_factory=dict)
    """By namespace."""
    limit_ranges: Mapping[str, tuple[LimitRange, ...]] = field(default_factory=dict)
    """By namespace."""
    quotas: Mapping[str, tuple[Quota, ...]] = field(default_factory=dict)
    """By namespace."""
    priority_classes: Mapping[str, PriorityClass] = field(default_factory=dict)
    scheduler_alive: bool = False
    ungater_alive: bool = False
    """Whether somebody takes scheduling gates away again."""
    replicas: Mapping[OwnerKey, int] = field(default_factory=dict)
    """By controlling owner."""
    controller_of: ControllerOf = nothing_seen
    """What controls ReplicaSets and Jobs, where their names do not tell."""
    zones: int = 0
    """Zones that have nodes; 0 where none is known."""
    node_shapes: tuple[NodeShape, ...] = ()
    """The largest nodes; empty where none is known or larger ones can come."""
    scaling: Mapping[WorkloadKey, Scaling] = field(default_factory=dict)
    """HorizontalPodAutoscalers that divide by requests, by the workload that they scale."""
    verticals: Mapping[WorkloadKey, Vertical] = field(default_factory=dict)
    """VerticalPodAutoscalers that apply what they recommend, by the workload that they size."""
    profiles: Mapping[WorkloadKey, LearnedProfile] = field(default_factory=dict)
    """By workload."""
    now_s: int = 0
    """Unix seconds of the view: what a profile's age and the end of a step back are judged by."""
    profile_max_age_s: int = PROFILE_MAX_AGE_S
    synced: bool = True


BUILTIN_PRIORITY_CLASSES: Final = {
    c.name: PriorityClass(c.name, c.value, c.preemption_policy) for c in PRIORITY_CLASSES
}


def parse_priority_class(obj: Mapping[str, Any]) -> PriorityClass:
    """A PriorityClass of the API."""
    return PriorityClass(
        name=obj["metadata"]["name"],
        value=obj["value"],
        preemption_policy=obj.get("preemptionPolicy") or "PreemptLowerPriority",
        global_default=bool(obj.get("globalDefault")),
    )
