"""From the JSON of a pod to how its containers ended: all that incidents need, a few hundred bytes a pod."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from stowplan.kube.shapes import Quantities
from stowplan.model.quantity import QuantityError, parse_bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of a container."""

    reason: str
    """As the kubelet says it, such as `OOMKilled`, `Error` or `Completed`."""
    exit_code: int
    finished_s: int
    """Unix seconds; 0 where the kubelet does not know."""
    restarted: bool
    """Whether the container was started again after it."""


@dataclass(frozen=True, slots=True)
class ContainerFate:
    """One container or init container."""

    name: str
    restarts: int
    endings: tuple[Ending, ...]
    """The end before the present run and the present one, where there are such."""
    memory_limit: int
    """Bytes: the limit in force, else the request; 0 where there is neither."""


@dataclass(frozen=True, slots=True)
class PodFate:
    """One pod."""

    namespace: str
    name: str
    uid: str
    containers: tuple[ContainerFate, ...]


class _Resources(msgspec.Struct, gc=False):
    requests: Quantities | None = None
    limits: Quantities | None = None


class _Container(msgspec.Struct, gc=False):
    name: str
    resources: _Resources | None = None


class _Terminated(msgspec.Struct, rename="camel", gc=False):
    reason: str = ""
    exit_code: int = 0
    finished_at: datetime | None = None


class _State(msgspec.Struct, gc=False):
    terminated: _Terminated | None = None


class _Status(msgspec.Struct, rename="camel", gc=False):
    name: str
    restart_count: int = 0
    state: _State | None = None
    last_state: _State | None = None
    resources: _Resources | None = None


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _PodStatus(msgspec.Struct, rename="camel"):
    container_statuses: list[_Status] | None = None
    init_container_statuses: list[_Status] | None = None


class _Meta(msgspec.Struct):
    name: str
    namespace: str = ""
    uid: str = ""


class _Pod(msgspec.Struct):
    metadata: _Meta
    spec: _Spec
    status: _PodStatus | None = None


_POD: Final = msgspec.json.Decoder(_Pod)


def project_pod_fate(raw: bytes | msgspec.Raw) -> PodFate:
    """How the containers of a pod fare.

    Raises:
        msgspec.DecodeError: no pod.
    """
    pod = _POD.decode(raw)
    status = pod.status or _PodStatus()
    statuses = {s.name: s for s in (*(status.init_container_statuses or ()), *(status.container_statuses or ()))}
    containers = (*(pod.spec.init_containers or ()), *(pod.spec.containers or ()))
    return PodFate(
        sys.intern(pod.metadata.namespace),
        pod.metadata.name,
        pod.metadata.uid,
        tuple(_fate(container, statuses.get(container.name)) for container in containers),
    )


def _fate(container: _Container, status: _Status | None) -> ContainerFate:
    written = container.resources
    if status is None:
        return ContainerFate(sys.intern(container.name), 0, (), _memory([written]))
    endings = (_ending(status.last_state, restarted=True), _ending(status.state, restarted=False))
    return ContainerFate(
        sys.intern(container.name),
        status.restart_count,
        tuple(ending for ending in endings if ending is not None),
        # What the kubelet has set counts, which is another than the written one while the pod is resized in place.
        _memory([status.resources, written]),
    )


def _ending(state: _State | None, *, restarted: bool) -> Ending | None:
    if state is None or state.terminated is None:
        return None
    ended = state.terminated
    finished_s = int(ended.finished_at.timestamp()) if ended.finished_at else 0
    return Ending(sys.intern(ended.reason), ended.exit_code, max(0, finished_s), restarted)


def _memory(resources: Sequence[_Resources | None]) -> int:
    """The first limit, else the first request."""
    given = [of for of in resources if of is not None]
    for quantities in (*(of.limits for of in given), *(of.requests for of in given)):
        written = (quantities or {}).get("memory")
        if written is not None:
            try:
                return parse_bytes(written)
            except QuantityError:
                continue
    return 0
