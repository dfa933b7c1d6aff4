"""Feeds the webhook's view of the cluster: one reflector per kind, projected to what a decision needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Forbidden, KubeError, NotFound
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
from stowplan.model.class_codec import parse_workload_class, parse_workload_policy
from stowplan.model.keys import GATE_LEASE, SCHEDULER_NAME, SYSTEM_NAMESPACE
from webhook.autoscalers import (
    project_horizontal,
    project_vertical,
)
from webhook.cluster_stores import ClusterStores
from webhook.limit_range import parse_limit_range
from webhook.owners import LinkedOwners, Owner, project_linked_owner
from webhook.profiles import NOT_CHECKPOINTS, project_profile
from webhook.projections import project_lease, project_node, project_owner, project_with
from webhook.quota import parse_quota
from webhook.state import ClusterState, parse_priority_class
from webhook.stores import Replicas

log = logging.getLogger(__name__)

V = TypeVar("V")

RETRY_SECONDS: Final = 5.0
"""How often a missing custom resource definition is looked for."""


class ClusterFeed:
    """The reflectors that fill the stores.

    Args:
        api: an open client.
        stores: to be filled.
        metrics: of the reflectors.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        stores: ClusterStores,
        metrics: ReflectorMetrics | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._stores = stores
        self._metrics = metrics or ReflectorMetrics()
        self._sleep = sleep
        self._missing: set[str] = set()
        reflect = self._reflect
        self._custom: dict[Resource, Reflector[Any]] = {
            WORKLOAD_CLASSES: reflect(WORKLOAD_CLASSES, project_with(parse_workload_class), stores.classes),
            WORKLOAD_POLICIES: reflect(WORKLOAD_POLICIES, project_with(parse_workload_policy), stores.policies),
        }
        learned = Selection(label_selector=NOT_CHECKPOINTS)
        self._learned: dict[Resource, Reflector[Any]] = {
            WORKLOAD_PROFILES: reflect(WORKLOAD_PROFILES, project_profile, stores.profiles, learned),
            VERTICAL_AUTOSCALERS: reflect(VERTICAL_AUTOSCALERS, project_vertical, stores.verticals),
        }
        self._needed: list[Reflector[Any]] = [
            reflect(LIMIT_RANGES, project_with(parse_limit_range), stores.ranges),
            reflect(RESOURCE_QUOTAS, project_with(parse_quota), stores.quotas),
            reflect(PRIORITY_CLASSES, project_with(parse_priority_class), stores.priorities),
        ]
        self._useful: list[Reflector[Any]] = [
            reflect(NODES, project_node, stores.nodes),
            reflect(LEASES, project_lease, stores.lease, _lease(SCHEDULER_NAME)),
            self._owners("ReplicaSet", REPLICA_SETS),
            reflect(STATEFUL_SETS, project_owner, Replicas("StatefulSet", stores.replicas)),
            reflect(HORIZONTAL_AUTOSCALERS, project_horizontal, stores.scaling),
            self._owners("Job", JOBS),
        ]
        # Not waited for: where it may not be read no gate is added, and that is all.
        self._gating = reflect(LEASES, project_lease, stores.gate_lease, _lease(GATE_LEASE), name="leases.gates")

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
        handler = LinkedOwners(kind, Replicas(kind, self._stores.replicas), self._stores.links)
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
        return self._stores.state(synced=self.synced)


def _lease(name: str) -> Selection:
    return Selection(SYSTEM_NAMESPACE, field_selector=f"metadata.name={name}")
