"""The reflectors of pod owners. The extender works without them: they hold up nothing, and a missing permission is logged once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from extender.cluster.cache import Cache
from extender.feeding.feed import Forward, OwnerFeed
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Forbidden, KubeError
from stowplan.kube.paths import JOBS, REPLICA_SETS, STATEFUL_SETS, Resource
from stowplan.kube.projection import PodOwner, project_job, project_replica_set, project_stateful_set
from stowplan.kube.reflector import Reflector
from stowplan.kube.reflector_metrics import ReflectorMetrics

log = logging.getLogger(__name__)

_FORBIDDEN_SECONDS: Final = 60.0
"""Between two looks whether the permission has been given."""

_Project = Callable[[msgspec.Raw], PodOwner | None]
_WATCHED: Final[tuple[tuple[str, Resource, _Project], ...]] = (
    ("Job", JOBS, project_job),
    ("ReplicaSet", REPLICA_SETS, project_replica_set),
    ("StatefulSet", STATEFUL_SETS, project_stateful_set),
)


class OwnerWatch:
    """Feeds the cache and the planner with one kind of owners, once it may.

    Args:
        api: an open client.
        resource: the resource type.
        reflector: of that resource.
        metrics: where refusals are counted, as the reflector counts its own errors.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        resource: Resource,
        reflector: Reflector[PodOwner],
        metrics: ReflectorMetrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._resource = resource
        self._reflector = reflector
        self._metrics = metrics
        self._sleep = sleep

    async def run(self) -> None:
        """Wait for permission, then reflect until cancelled."""
        complained = False
        while await self._forbidden():
            self._metrics.errors.labels(self._resource.label, Forbidden.__name__).inc()
            if not complained:
                complained = True
                log.warning(
                    "%s may not be listed: slots are planned for pods that exist only; allow list and watch",
                    self._resource.label,
                )
            await self._sleep(_FORBIDDEN_SECONDS)
        await self._reflector.run()

    async def _forbidden(self) -> bool:
        try:
            await self._api.get_bytes(self._resource.path(), limit=1)
        except Forbidden:
            return True
        except KubeError:
            return False  # the reflector's business, which knows how to wait
        return False


def owner_watches(api: ApiClient, cache: Cache, forward: Forward, metrics: ReflectorMetrics) -> list[OwnerWatch]:
    """One watch for each kind of owners."""
    return [
        OwnerWatch(
            api, resource, Reflector(api, resource, project, OwnerFeed(kind, cache, forward), metrics=metrics), metrics
        )
        for kind, resource, project in _WATCHED
    ]
