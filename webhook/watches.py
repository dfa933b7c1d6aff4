"""Feeds the webhook's view of the cluster: one reflector per kind, projected to what a decision needs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import KubeError, NotFound
from stowplan.kube.paths import (
    JOBS,
    LEASES,
    LIMIT_RANGES,
    NODES,
    PRIORITY_CLASSES,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    STATEFUL_SETS,
    WORKLOAD_CLASSES,
    WORKLOAD_POLICIES,
    Resource,
)
from stowplan.kube.reflector import Handler, Reflector, Selection
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import parse_workload_class, parse_workload_policy
from stowplan.model.keys import SCHEDULER_NAME, SYSTEM_NAMESPACE, ZONE
from stowplan.model.workload_class import WorkloadClass, WorkloadPolicy
from webhook.limit_range import LimitRange, parse_limit_range
from webhook.quota import Quota, parse_quota
from webhook.state import ClusterState, PriorityClass, WorkloadKey, parse_priority_class
from webhook.stores import Entry, LeaseRecord, Named, PerNamespace, Replicas, SchedulerLease, Zones

log = logging.getLogger(__name__)

V = TypeVar("V")

RETRY_SECONDS: Final = 5.0
"""How often a missing custom resource definition is looked for."""
_DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
_DEFAULT_LEASE_SECONDS: Final = 15


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _OwnerSpec(msgspec.Struct, frozen=True, rename="camel"):
    replicas: int | None = None
    parallelism: int | None = None
    completions: int | None = None


class _OwnerObject(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _OwnerSpec = _OwnerSpec()


class _NodeObject(msgspec.Struct, frozen=True):
    metadata: _Meta


class _LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None
    renew_time: str | None = None
    lease_duration_seconds: int | None = None


class _LeaseObject(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _LeaseSpec = _LeaseSpec()


def project_owner(raw: msgspec.Raw) -> Entry[int]:
    """How many pods an owner wants: replicas, a Deployment's total for its ReplicaSet, or a Job's parallelism."""
    owner = msgspec.json.decode(raw, type=_OwnerObject)
    meta, spec = owner.metadata, owner.spec
    if spec.parallelism is not None:
        count = min(spec.parallelism, spec.completions if spec.completions is not None else spec.parallelism)
    else:
        count = 1 if spec.replicas is None else spec.replicas
    desired = (meta.annotations or {}).get(_DESIRED_REPLICAS, "")
    if desired.isascii() and desired.isdecimal():  # during a rollout the ReplicaSet grows step by step
        count = max(count, int(desired))
    return Entry(meta.namespace, meta.name, count)


def project_zone(raw: msgspec.Raw) -> Entry[str] | None:
    """The zone of a node; None for a node without one."""
    meta = msgspec.json.decode(raw, type=_NodeObject).metadata
    zone = (meta.labels or {}).get(ZONE)
    return Entry("", meta.name, zone) if zone else None


def project_lease(raw: msgspec.Raw) -> Entry[LeaseRecord]:
    """What tells a renewal of a Lease."""
    lease = msgspec.json.decode(raw, type=_LeaseObject)
    spec = lease.spec
    seconds = float(spec.lease_duration_seconds or _DEFAULT_LEASE_SECONDS)
    record = LeaseRecord(spec.holder_identity or "", spec.renew_time or "", seconds)
    return Entry(lease.metadata.namespace, lease.metadata.name, record)


def project_with(parse: Callable[[Mapping[str, Any]], V]) -> Callable[[msgspec.Raw], Entry[V]]:
    """A projection from a parser of the whole object."""

    def project(raw: msgspec.Raw) -> Entry[V]:
        obj = msgspec.json.decode(raw)
        return Entry(obj["metadata"].get("namespace", ""), obj["metadata"]["name"], parse(obj))

    return project


def _first(policies: tuple[WorkloadPolicy, ...]) -> WorkloadPolicy:
    return policies[0]


def _all(values: tuple[V, ...]) -> tuple[V, ...]:
    return values


class ClusterFeed:
    """Ten reflectors and the stores they fill.

    Args:
        api: an open client.
        metrics: of the reflectors.
        clock: monotonic seconds, for the freshness of the scheduler's Lease.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        metrics: ReflectorMetrics | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._metrics = metrics or ReflectorMetrics()
        self._sleep = sleep
        self._missing: set[str] = set()
        self._classes = Named[WorkloadClass]()
        self._policies = PerNamespace[WorkloadPolicy, WorkloadPolicy](_first)
        self._ranges = PerNamespace[LimitRange, tuple[LimitRange, ...]](_all)
        self._quotas = PerNamespace[Quota, tuple[Quota, ...]](_all)
        self._priorities = Named[PriorityClass]()
        self._replicas: dict[WorkloadKey, int] = {}
        self._zones = Zones()
        self._lease = SchedulerLease(clock)
        self._custom: list[Reflector[Any]] = [
            self._reflect(WORKLOAD_CLASSES, project_with(parse_workload_class), self._classes),
            self._reflect(WORKLOAD_POLICIES, project_with(parse_workload_policy), self._policies),
        ]
        self._needed: list[Reflector[Any]] = [
            self._reflect(LIMIT_RANGES, project_with(parse_limit_range), self._ranges),
            self._reflect(RESOURCE_QUOTAS, project_with(parse_quota), self._quotas),
            self._reflect(PRIORITY_CLASSES, project_with(parse_priority_class), self._priorities),
        ]
        lease = Selection(SYSTEM_NAMESPACE, field_selector=f"metadata.name={SCHEDULER_NAME}")
        self._useful: list[Reflector[Any]] = [
            self._reflect(NODES, project_zone, self._zones),
            self._reflect(LEASES, project_lease, self._lease, lease),
            self._reflect(REPLICA_SETS, project_owner, Replicas("ReplicaSet", self._replicas)),
            self._reflect(STATEFUL_SETS, project_owner, Replicas("StatefulSet", self._replicas)),
            self._reflect(JOBS, project_owner, Replicas("Job", self._replicas)),
        ]

    def _reflect(
        self,
        resource: Resource,
        project: Callable[[msgspec.Raw], V | None],
        handler: Handler[V],
        selection: Selection = Selection(),  # noqa: B008 - frozen
    ) -> Reflector[V]:
        return Reflector(self._api, resource, project, handler, selection=selection, metrics=self._metrics)

    async def run(self) -> None:
        """Reflect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for resource, reflector in zip((WORKLOAD_CLASSES, WORKLOAD_POLICIES), self._custom, strict=True):
                tasks.create_task(self._run_custom(resource, reflector))
            for required in (*self._needed, *self._useful):
                tasks.create_task(required.run())

    async def _run_custom(self, resource: Resource, reflector: Reflector[Any]) -> None:
        """A custom resource whose definition is missing must not keep the built-in classes from serving."""
        while True:
            try:
                await self._api.get(resource.path(), limit=1)
                break
            except NotFound:
                if reflector.name not in self._missing:
                    log.warning("%s is not defined in this cluster; built-in values serve until it is", reflector.name)
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
        custom = all(r.synced or r.name in self._missing for r in self._custom)
        return custom and all(r.synced for r in self._needed)

    @property
    def complete(self) -> bool:
        """Whether every store has been filled once."""
        return self.synced and all(r.synced for r in self._useful)

    def state(self) -> ClusterState:
        """The view of now; valid until the event loop turns."""
        return ClusterState(
            classes=self._classes.values or BUILTIN_CLASSES,
            policies=self._policies.values,
            limit_ranges=self._ranges.values,
            quotas=self._quotas.values,
            priority_classes=self._priorities.values,
            scheduler_alive=self._lease.alive,
            replicas=self._replicas,
            zones=self._zones.count,
            synced=self.synced,
        )
