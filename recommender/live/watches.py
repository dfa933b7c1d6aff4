"""What the recommender sees of the cluster: pods and how they fare, owners, classes, policies, and Events about memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from recommender.live.closing import Terms
from recommender.live.pod_index import PodIndex
from recommender.sources.incidents import IncidentLog, event_reflectors
from recommender.sources.pod_fates import PodFate, project_pod_fate
from recommender.workloads.pods import PodView, Template, Templates, project_pod_view
from stowplan.kube.client import ApiClient
from stowplan.kube.codec import ObjectKey
from stowplan.kube.errors import KubeError, NotFound
from stowplan.kube.owner_links import OwnerLinks
from stowplan.kube.owner_projection import project_owner_link
from stowplan.kube.paths import JOBS, PODS, REPLICA_SETS, WORKLOAD_CLASSES, WORKLOAD_POLICIES, Resource
from stowplan.kube.reflector import Reflector
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import parse_workload_class, parse_workload_policy
from stowplan.model.class_matching import resolve_class
from stowplan.model.keys import CLASS
from stowplan.model.workload_class import WorkloadClass, WorkloadPolicy

log = logging.getLogger(__name__)

T = TypeVar("T")
MOST_CLASSES: Final = 50
"""Classes in one profile, as its definition allows."""
_RETRY_SECONDS: Final = 5.0


class Objects(dict[tuple[str, str], T]):
    """Handler that keeps values by namespace and name."""

    def __init__(self, place: Callable[[T], tuple[str, str]]) -> None:
        super().__init__()
        self._place = place

    def replace(self, items: Sequence[T]) -> None:
        """The collection is exactly this."""
        self.clear()
        for item in items:
            self.upsert(item)

    def upsert(self, item: T) -> None:
        """The object is new or has changed."""
        self[self._place(item)] = item

    def delete(self, key: ObjectKey) -> None:
        """The object is gone."""
        self.pop((key.namespace, key.name), None)


class _PodHandler:
    """Hands each pod to the index and to the log of incidents: one watch for both."""

    def __init__(self, index: PodIndex, incidents: IncidentLog) -> None:
        self._index = index
        self._incidents = incidents

    def replace(self, items: Sequence[tuple[PodView, PodFate]]) -> None:
        self._index.replace([view for view, _ in items])
        self._incidents.replace([fate for _, fate in items])

    def upsert(self, item: tuple[PodView, PodFate]) -> None:
        self._index.upsert(item[0])
        self._incidents.upsert(item[1])

    def delete(self, key: ObjectKey) -> None:
        self._index.delete(key)
        self._incidents.delete(key)


class Classes:
    """Classes and policies, and what a pod template comes to under them."""

    def __init__(self) -> None:
        self.custom = Objects[WorkloadClass](lambda of: ("", of.name))
        self.policies = Objects[tuple[str, WorkloadPolicy]](lambda of: (of[1].namespace, of[0]))

    @property
    def all(self) -> Mapping[str, WorkloadClass]:
        """Classes by name; the built-in ones are there until the cluster says otherwise."""
        return {**BUILTIN_CLASSES, **{of.name: of for of in self.custom.values()}}

    def policy(self, namespace: str) -> WorkloadPolicy | None:
        """The namespace's policy, the first by name (as the webhook takes it)."""
        found = sorted((name, policy) for (where, name), (_, policy) in self.policies.items() if where == namespace)
        return found[0][1] if found else None

    def observed(self, template: Template, classes: Mapping[str, WorkloadClass]) -> Terms:
        """What pods of a template run under: what the webhook decided, else what it would decide."""
        decided = classes.get(template.decided_class)
        if decided is None:
            labels = {CLASS: template.class_label} if template.class_label else {}
            policy = self.policy(template.namespace)
            decided = resolve_class(labels, template.namespace, policy, classes).workload_class
        return Terms(decided, template.cost)

    def allowed(self, namespace: str, observed: Terms, classes: Mapping[str, WorkloadClass]) -> tuple[Terms, ...]:
        """What a namespace allows, the observed class first."""
        policy = self.policy(namespace)
        names = policy.allowed_classes if policy is not None and policy.allowed_classes else tuple(classes)
        others = [classes[name] for name in names if name in classes and name != observed.wclass.name]
        return (observed, *(Terms(other, observed.cost) for other in others))[:MOST_CLASSES]


class ClusterWatch:
    """All reflectors and the stores they fill.

    Args:
        api: an open client.
        index: of pods.
        links: of owners.
        incidents: told how pods fare.
        metrics: of the reflectors.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        index: PodIndex,
        links: OwnerLinks,
        incidents: IncidentLog,
        metrics: ReflectorMetrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._sleep = sleep
        self.classes = Classes()
        reflect = partial(Reflector[Any], api, metrics=metrics)
        templates = Templates()

        def project(raw: msgspec.Raw) -> tuple[PodView, PodFate]:
            return project_pod_view(raw, templates), project_pod_fate(raw)

        self._pods = reflect(PODS, project, _PodHandler(index, incidents))
        self._owners = [
            reflect(resource, partial(project_owner_link, kind), links.handler(kind))
            for kind, resource in (("ReplicaSet", REPLICA_SETS), ("Job", JOBS))
        ]
        self._events = event_reflectors(api, incidents, metrics)
        self._custom: list[tuple[Resource, Reflector[Any]]] = [
            (WORKLOAD_CLASSES, reflect(WORKLOAD_CLASSES, _class, self.classes.custom)),
            (WORKLOAD_POLICIES, reflect(WORKLOAD_POLICIES, _policy, self.classes.policies)),
        ]

    @property
    def synced(self) -> bool:
        """Whether pods and owners have been seen whole."""
        return all(reflector.synced for reflector in (self._pods, *self._owners))

    async def wait_synced(self) -> None:
        """Return once `synced`; custom resources, whose definitions may be missing for ever, are waited for a little."""
        for reflector in (*self._owners, self._pods):
            await reflector.wait_synced()
        for _, reflector in self._custom:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_SECONDS):
                    await reflector.wait_synced()

    async def run(self) -> None:
        """Reflect until cancelled. Pods wait for owners, so that none is named before its owner was seen."""
        async with asyncio.TaskGroup() as tasks:
            for resource, reflector in self._custom:
                tasks.create_task(self._once_defined(resource, reflector))
            for reflector in (*self._owners, *self._events):
                tasks.create_task(reflector.run())
            for reflector in self._owners:
                await reflector.wait_synced()
            tasks.create_task(self._pods.run())

    async def _once_defined(self, resource: Resource, reflector: Reflector[Any]) -> None:
        complained = False
        while True:
            try:
                await self._api.get(resource.path(), limit=1)
                break
            except NotFound:
                if not complained:
                    log.warning("%s is not defined in this cluster; built-in values serve until it is", resource.label)
                    complained = True
            except KubeError as error:
                log.warning("%s cannot be read: %s", resource.label, error)
            await self._sleep(_RETRY_SECONDS)
        await reflector.run()


def _class(raw: msgspec.Raw) -> WorkloadClass:
    return parse_workload_class(msgspec.json.decode(raw))


def _policy(raw: msgspec.Raw) -> tuple[str, WorkloadPolicy]:
    obj = msgspec.json.decode(raw)
    return obj["metadata"]["name"], parse_workload_policy(obj)
