"""metrics.k8s.io (metrics-server) as a source of usage: needs nothing else in the cluster, and has no past."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import UsageSample
from recommender.sources.pod_metrics import LIST, POD, PodMetrics, duration_s, memory_bytes, millicores
from recommender.sources.retry import Backoff
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import ApiError, Forbidden, KubeError, NotFound, Unauthorized
from stowplan.kube.paths import POD_METRICS

log = logging.getLogger(__name__)

NAME: Final = "metrics-api"
MAX_BODY_BYTES: Final = 256 * 2**20
"""Bound of one list. A pod of two containers is some 500 bytes, so this is half a million pods."""
_STEPPED_BACK_S: Final = 600
"""A pod whose measurements are this much older than one seen before: not a slower replica, but a clock that was set right."""

_PodKey = tuple[str, str]


class MetricsApiSource:
    """Reads the usage of all pods of the cluster (or of some namespaces) at once.

    metrics-server keeps only its newest measurement of each pod, which stands for the time since the one before (`window`), so polling
    more seldom than it scrapes (15 s by default, often set to 60 s) sees a part of the time, and more often the same again; that is
    told apart by the pod's timestamp. A pod that is missing from the list, because its node did not answer or it is too young, is simply
    not measured now.

    Args:
        api: an open client; may list `pods.metrics.k8s.io`.
        metrics: counters.
        namespaces: only these; all when empty.
        max_body_bytes: a longer list is not read.
        monotonic: monotonic seconds, for the waiting after failures.
    """

    name = NAME

    def __init__(
        self,
        api: ApiClient,
        metrics: SourceMetrics,
        *,
        namespaces: Sequence[str] = (),
        max_body_bytes: int = MAX_BODY_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._count = metrics.of(NAME)
        self._paths = [POD_METRICS.path(namespace) for namespace in namespaces] or [POD_METRICS.path()]
        self._max_body_bytes = max_body_bytes
        self._backoff = Backoff(monotonic)
        self._newest: dict[_PodKey, int] = {}
        self._complained = ""

    async def poll(self) -> Sequence[UsageSample]:
        """What was measured since the last call. Empty, without a request, while the waiting time after a failure lasts."""
        if self._backoff.waiting:
            return ()
        samples: list[UsageSample] = []
        try:
            for path in self._paths:
                body = await self._api.get_bytes_bounded(path, self._max_body_bytes)
                samples += self._samples(LIST.decode(body).items or ())
        except (KubeError, msgspec.DecodeError) as error:
            self._fail(error)
        else:
            self._succeed()
        self._count.delivered(samples)
        return samples

    async def back_fill(self, since_s: int, until_s: int) -> AsyncIterator[Sequence[UsageSample]]:
        """Nothing: the API has no past."""
        del since_s, until_s
        past: tuple[Sequence[UsageSample], ...] = ()
        for batch in past:
            yield batch

    def _samples(self, items: Sequence[msgspec.Raw]) -> list[UsageSample]:
        samples: list[UsageSample] = []
        for raw in items:
            try:
                samples += self._fresh(POD.decode(raw))
            except (msgspec.DecodeError, ValueError):
                self._count.unreadable()
        self._forget_old()
        return samples

    def _fresh(self, pod: PodMetrics) -> list[UsageSample]:
        """The samples of a pod, unless they have been delivered."""
        t_s = round(_utc(pod.timestamp))
        key = (pod.metadata.namespace, pod.metadata.name)
        newest = self._newest.get(key)
        if newest is not None and newest - _STEPPED_BACK_S < t_s <= newest:
            return []
        window_s = max(1, round(duration_s(pod.window)))
        if newest is not None and abs(t_s - window_s - newest) <= 1:
            window_s = t_s - newest  # the server's timestamps are cut to seconds, which must not look like holes
        samples: list[UsageSample] = []
        for container in pod.containers or ():
            try:
                cpu, memory = millicores(container.usage.cpu), memory_bytes(container.usage.memory)
            except ValueError:
                self._count.unreadable()
                continue
            samples.append(UsageSample(*key, container.name, t_s, window_s, cpu, memory))
        self._newest[key] = t_s
        return samples

    def _forget_old(self) -> None:
        """Forget pods that have gone; those whose node is only slow to answer are remembered a while."""
        horizon = max(self._newest.values(), default=0) - _STEPPED_BACK_S
        self._newest = {key: t_s for key, t_s in self._newest.items() if t_s > horizon}

    def _succeed(self) -> None:
        self._backoff.succeeded()
        self._count.succeeded()
        if self._complained:
            log.info("%s: answers again", NAME)
            self._complained = ""

    def _fail(self, error: Exception) -> None:
        self._backoff.failed(error.retry_after if isinstance(error, ApiError) else None)
        self._count.failed(error)
        complaint = f"{error}; {_remedy(error)}"
        if complaint != self._complained:  # once per outage
            self._complained = complaint
            log.warning("%s: %s", NAME, complaint)


def _utc(at: datetime) -> float:
    """Unix seconds.

    Raises:
        ValueError: the time has no zone, so nobody knows when it was.
    """
    if at.tzinfo is None:
        raise ValueError(f"timestamp {at.isoformat()} has no time zone; it should end in Z")
    return at.timestamp()


def _remedy(error: Exception) -> str:
    match error:
        case NotFound():
            return "the metrics API is not installed: install metrics-server, or set the address of a Prometheus"
        case Forbidden() | Unauthorized():
            return "allow the verb list on pods of the API group metrics.k8s.io"
        case ApiError():
            return "look at `kubectl get apiservice v1beta1.metrics.k8s.io` and at the log of metrics-server"
        case msgspec.DecodeError():
            return "what answers for metrics.k8s.io does not speak v1beta1; look at the APIService"
        case _:
            return "it is asked again by itself"
