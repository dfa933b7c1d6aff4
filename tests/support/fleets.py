"""Fleets, places and samples for tests of the recommender service."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recommender.live.closing import Terms
from recommender.live.feeding import Feeder, Locate, Place
from recommender.live.shards import encode_shard
from recommender.sources.observation import UsageSample
from recommender.workloads.fleet import Fleet, Tracked
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload import Workload

DAY: int = 20_000
"""2024-10-04, a Friday."""
MIDNIGHT: int = DAY * 86_400
MIB: int = 2**20


def web(name: str = "web", namespace: str = "shop") -> Workload:
    """A Deployment."""
    return Workload(namespace, "Deployment", name, api_version="apps/v1")


def located(places: Mapping[str, Place]) -> Locate:
    """Places by the part of the pod's name before its last dash; every container of such a pod is known."""

    def locate(namespace: str, pod: str, _container: str) -> Place | None:
        place = places.get(pod.rpartition("-")[0])
        return place if place is not None and place.workload.namespace == namespace else None

    return locate


def sample(t_s: int, cpu: float, memory: float = 100 * MIB, pod: str = "web-1", container: str = "app") -> UsageSample:
    """One minute of a container."""
    return UsageSample("shop", pod, container, t_s, 60, cpu, memory)


def day_of(cpu: Callable[[int], float], pod: str = "web-1", day: int = DAY, step_s: int = 300) -> list[UsageSample]:
    """A day of samples of one pod; `cpu` by second of the day."""
    return [sample(day * 86_400 + s, cpu(s), pod=pod) for s in range(step_s, 86_400 + 1, step_s)]


def feeder(fleet: Fleet, places: Mapping[str, Place] | None = None) -> Feeder:
    """A feeder that knows the pods `web-*` of a Deployment, or those given."""
    return Feeder(fleet, located({"web": Place(web())} if places is None else places))


def standard(_tracked: Tracked) -> Terms:
    """Everything runs under the class `standard`."""
    return Terms(BUILTIN_CLASSES["standard"])


def shard_text(fleet: Fleet, now_s: int = 0) -> str:
    """The whole fleet as one shard."""
    return encode_shard(fleet, list(fleet.workloads.values()), now_s)
