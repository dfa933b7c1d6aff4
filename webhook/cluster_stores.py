"""What the webhook knows of the cluster, kind by kind, and its view of now for a decision."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from stowplan.kube.owner_links import OwnerLinks
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import WorkloadClass, WorkloadPolicy
from webhook.autoscalers import HorizontalAutoscaler, Scaling, Vertical, VerticalAutoscaler, scaling_of, vertical_of
from webhook.limit_range import LimitRange
from webhook.profiles import LearnedProfile, latest
from webhook.quota import Quota
from webhook.state import PROFILE_MAX_AGE_S, ClusterState, OwnerKey, PriorityClass
from webhook.stores import Named, Nodes, PerNamespace, PerTarget, RenewedLease

V = TypeVar("V")


def _first(policies: tuple[WorkloadPolicy, ...]) -> WorkloadPolicy:
    return policies[0]


def _all(values: tuple[V, ...]) -> tuple[V, ...]:
    return values


class ClusterStores:
    """The stores that reflectors fill.

    Args:
        profile_max_age_s: a profile that was not renewed for longer is stale.
        fit_to_nodes: whether the nodes of now are the largest that there will be.
        clock: monotonic seconds, for the freshness of Leases.
        wall_clock: Unix seconds, for the age of profiles.
    """

    def __init__(
        self,
        *,
        profile_max_age_s: int = PROFILE_MAX_AGE_S,
        fit_to_nodes: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._profile_max_age_s = profile_max_age_s
        self._fit_to_nodes = fit_to_nodes
        self._wall_clock = wall_clock
        self.classes = Named[WorkloadClass]()
        self.policies = PerNamespace[WorkloadPolicy, WorkloadPolicy](_first)
        self.ranges = PerNamespace[LimitRange, tuple[LimitRange, ...]](_all)
        self.quotas = PerNamespace[Quota, tuple[Quota, ...]](_all)
        self.priorities = Named[PriorityClass]()
        self.replicas: dict[OwnerKey, int] = {}
        self.links = OwnerLinks()
        self.nodes = Nodes()
        self.lease = RenewedLease(clock)
        """Of the scheduler."""
        self.gate_lease = RenewedLease(clock)
        """Of who takes scheduling gates away."""
        self.profiles = PerTarget[LearnedProfile, LearnedProfile](latest)
        self.scaling = PerTarget[HorizontalAutoscaler, Scaling](scaling_of)
        self.verticals = PerTarget[VerticalAutoscaler, Vertical](vertical_of)

    def state(self, *, synced: bool) -> ClusterState:
        """The view of now; valid until the event loop turns. `synced`: whether everything is known that a pod could be refused for."""
        return ClusterState(
            classes=self.classes.values or BUILTIN_CLASSES,
            policies=self.policies.values,
            limit_ranges=self.ranges.values,
            quotas=self.quotas.values,
            priority_classes=self.priorities.values,
            scheduler_alive=self.lease.alive,
            ungater_alive=self.gate_lease.alive,
            replicas=self.replicas,
            controller_of=self.links.of,
            zones=self.nodes.zones,
            node_shapes=self.nodes.shapes if self._fit_to_nodes else (),
            scaling=self.scaling.values,
            verticals=self.verticals.values,
            profiles=self.profiles.values,
            now_s=int(self._wall_clock()),
            profile_max_age_s=self._profile_max_age_s,
            synced=synced,
        )
