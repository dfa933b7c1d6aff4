"""Feeds the webhook's view of the cluster: one reflector per kind, projected to what a decision needs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Forbidden, KubeError, NotFound
from stowplan.kube.owner_links import OwnerLinks
from stowplan.kube.paths import (
    HORIZONTAL_AUTOSCALERS,
    JOBS,
    LEASES,
    LIMIT_RANGES,
    NODES,
    PRIORITY_CLASSES,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    STATEFUL_SETS,
    VERTICAL_AUTOSCALERS,
    WORKLOAD_CLASSES,
    WORKLOAD_POLICIES,
    WORKLOAD_PROFILES,
    Resource,
)
from stowplan.kube.reflector import Handler, Reflector, Selection
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import parse_workload_class, parse_workload_policy
from stowplan.model.keys import GATE_LEASE, SCHEDULER_NAME, SYSTEM_NAMESPACE
from stowplan.model.workload_class import WorkloadClass, WorkloadPolicy
from webhook.autoscalers import (
    HorizontalAutoscaler,
    Scaling,
    Vertical,
    VerticalAutoscaler,
    project_horizontal,
    project_vertical,
    scaling_of,
    vertical_of,
)
from webhook.limit_range import LimitRange, parse_limit_range
from webhook.owners import LinkedOwners, Owner, project_linked_owner
from webhook.profiles import NOT_CHECKPOINTS, LearnedProfile, latest, project_profile
from webhook.projections import project_lease, project_node, project_owner, project_with
from webhook.quota import Quota, parse_quota
from webhook.state import PROFILE_MAX_AGE_S, ClusterState, OwnerKey, PriorityClass, parse_priority_class
from webhook.stores import Named, Nodes, PerNamespace, PerTarget, RenewedLease, Replicas

log = logging.getLogger(__name__)

V = TypeVar("V")

RETRY_SECONDS: Final = 5.0
"""How often a missing custom resource definition is looked for."""


def _first(policies: tuple[WorkloadPolicy, ...]) -> WorkloadPolicy:
    return policies[0]


def _all(values: tuple[V, ...]) -> tuple[V, ...]:
    return values


class ClusterFeed:
    """The reflectors and the stores they fill.

    Args:
        api: an open client.
        metrics: of the reflectors.
        profile_max_age_s: a profile that was not renewed for longer is stale.
        fit_to_nodes: whether the nodes of now are the largest that there will be.
        clock: monotonic seconds, for the freshness of Leases.
        wall_clock: Unix seconds, for the age of profiles.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        metrics: ReflectorMetrics | None = None,
        *,
        profile_max_age_s: int = PROFILE_MAX_AGE_S,
        fit_to_nodes: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._metrics = metrics or ReflectorMetrics()
        self._profile_max_age_s = profile_max_age_s
        self._fit_to_nodes = fit_to_nodes
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._missing: set[str] = set()
        self._classes = Named[WorkloadClass]()
        self._policies = PerNamespace[WorkloadPolicy, WorkloadPolicy](_first)
        self._ranges = PerNamespace[LimitRange, tuple[LimitRange, ...]](_all)
        self._quotas = PerNamespace[Quota, tuple[Quota, ...]](_all)
        self._priorities = Named[PriorityClass]()
        self._replicas: dict[OwnerKey, int] = {}
        self._links = OwnerLinks()
        self._nodes = Nodes()
        self._lease = RenewedLease(clock)
        self._gate_lease = RenewedLease(clock)
        self._profiles = PerTarget[LearnedProfile, LearnedProfile](latest)
        self._scaling = PerTarget[HorizontalAutoscaler, Scaling](scaling_of)
        self._verticals = PerTarget[VerticalAutoscaler, Vertical](vertical_of)
        self._custom: dict[Resource, Reflector[Any]] = {
            WORKLOAD_CLASSES: self._reflect(WORKLOAD_CLASSES, project_with(parse_workload_class), self._classes),
            WORKLOAD_POLICIES: self._reflect(WORKLOAD_POLICIES, project_with(parse_workload_policy), self._policies),
        }
        self._learned: dict[Resource, Reflector[Any]] = {
            WORKLOAD_PROFILES: self._reflect(
                WORKLOAD_PROFILES, project_profile, self._profiles, Selection(label_selector=NOT_CHECKPOINTS)
            ),
            VERTICAL_AUTOSCALERS: self._reflect(VERTICAL_AUTOSCALERS, project_vertical, self._verticals),
        }
        self._needed: list[Reflector[Any]] = [
            self._reflect(LIMIT_RANGES, project_with(parse_limit_range), self._ranges),
            self._reflect(RESOURCE_QUOTAS, project_with(parse_quota), self._quotas),
            self._reflect(PRIORITY_CLASSES, project_with(parse_priority_class), self._priorities),
        ]
        lease, gate_lease = (
            Selection(SYSTEM_NAMESPACE, field_selector=f"metadata.name={name}") for name in (SCHEDULER_NAME, GATE_LEASE)
        )
        self._useful: list[Reflector[Any]] = [
            self._reflect(NODES, project_node, self._nodes),
            self._reflect(LEASES, project_lease, self._lease, lease),
            self._owners("ReplicaSet", REPLICA_SETS),
            self._reflect(STATEFUL_SETS, project_owner, Replicas("StatefulSet", self._replicas)),
            self._reflect(HORIZONTAL_AUTOSCALERS, project_horizontal, self._scaling),
            self._owners("Job", JOBS),
        ]
        # Not waited for: where it may not be read no gate is added, and that is all.
        self._gating: Reflector[Any] = self._reflect(
            LEASES, project_lease, self._gate_lease, gate_lease, name="leases.gates"
        )

    def _reflect(
        self,
        resource: Resource,
        project: Callable[[msgspec.Raw], V | None],
        handler: Handler[V],
        selection: Selection = Selection(),  # noqa: B008 - frozen
        name: str | None = None,
    ) -> Reflector[V]:
        return Reflector(self._api, resource, project, handler, selection=selection, metrics=self._metrics, name=name)

    def _owners(self, kind: str, resource: Resource) -> Reflector[Owner]:
        handler = LinkedOwners(kind, Replicas(kind, self._replicas), self._links)
        return self._reflect(resource, project_linked_owner(kind), handler)

    async def run(self) -> None:
        """Reflect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for resource, reflector in self._custom.items():
                tasks.create_task(self._run_custom(resource, reflector, (NotFound,)))
            for resource, reflector in self._learned.items():  # nothing depends on them that a pod could be refused for
                tasks.create_task(self._run_custom(resource, reflector, (NotFound, Forbidden)))
            for watched in (*self._needed, *self._useful, self._gating):
                tasks.create_task(watched.run())

    async def _run_custom(
        self, resource: Resource, reflector: Reflector[Any], absent: tuple[type[KubeError], ...]
    ) -> None:
        """A custom resource whose definition is missing must not keep the rest from serving; it is looked for again."""
        while True:
            try:
                await self._api.get(resource.path(), limit=1)
                break
            except absent as error:
                if reflector.name not in self._missing:
                    log.warning("%s is not there to be read; going on without until it is: %s", reflector.name, error)
                self._missing.add(reflector.name)
            except KubeError as error:
                log.warning("%s cannot be read: %s", reflector.name, error)
            await self._sleep(RETRY_SECONDS)
        await reflector.run()

    async def wait_filled(self) -> None:
        """Return once everything but custom resources, whose definitions may be missing for ever, has been listed."""
        for reflector in (*self._needed, *self._useful):
            await reflector.wait_synced()

    @property
    def synced(self) -> bool:
        """Whether everything is known that a pod could be refused for."""
        return self._known(self._custom) and all(r.synced for r in self._needed)

    @property
    def complete(self) -> bool:
        """Whether every store has been filled once."""
        return self.synced and self._known(self._learned) and all(r.synced for r in self._useful)

    def _known(self, custom: Mapping[Resource, Reflector[Any]]) -> bool:
        return all(r.synced or r.name in self._missing for r in custom.values())

    def state(self) -> ClusterState:
        """The view of now; valid until the event loop turns."""
        return ClusterState(
            classes=self._classes.values or BUILTIN_CLASSES,
            policies=self._policies.values,
            limit_ranges=self._ranges.values,
            quotas=self._quotas.values,
            priority_classes=self._priorities.values,
            scheduler_alive=self._lease.alive,
            ungater_alive=self._gate_lease.alive,
            replicas=self._replicas,
            controller_of=self._links.of,
            zones=self._nodes.zones,
            node_shapes=self._nodes.shapes if self._fit_to_nodes else (),
            scaling=self._scaling.values,
            verticals=self._verticals.values,
            profiles=self._profiles.values,
            now_s=int(self._wall_clock()),
            profile_max_age_s=self._profile_max_age_s,
            synced=self.synced,
        )
