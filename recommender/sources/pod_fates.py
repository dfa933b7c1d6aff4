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

OOM_KILLED: Final = "OOMKilled"
"""Reason of an end for memory."""
_START_ERROR: Final = "StartError"
_KILLED_AT_START: Final = "container init was OOM-killed"
"""What runc says where the limit is too small for itself: containerd's reason is that the container could not be started."""


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
    started_s: int = 0
    """Unix seconds of the start of the run that ended so; 0 where the kubelet does not know."""


@dataclass(frozen=True, slots=True)
class ContainerFate:
    """One container or init container."""

    name: str
    restarts: int
    endings: tuple[Ending, ...]
    """The end before the present run and the present one, where there are such."""
    memory_limit: int
    """Bytes: the limit in force, else the request; 0 where there is neither."""
    limited: bool = False
    """Whether `memory_limit` is a limit, which the kernel holds the container to."""
    shares_limit: bool = False
    """Whether it has no limit of its own but its pod has one, for all of its containers together."""


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
    message: str = ""
    exit_code: int = 0
    started_at: datetime | None = None
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
    resources: _Resources | None = None
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
    _, pod_limited = _memory([pod.spec.resources])
    return PodFate(
        sys.intern(pod.metadata.namespace),
        pod.metadata.name,
        pod.metadata.uid,
        tuple(_fate(container, statuses.get(container.name), pod_limited=pod_limited) for container in containers),
    )


def _fate(container: _Container, status: _Status | None, *, pod_limited: bool) -> ContainerFate:
    written = container.resources
    # What the kubelet has set counts, which is another than the written one while the pod is resized in place.
    memory, limited = _memory([written] if status is None else [status.resources, written])
    shares = pod_limited and not limited
    if status is None:
        return ContainerFate(sys.intern(container.name), 0, (), memory, limited, shares)
    endings = (_ending(status.last_state, restarted=True), _ending(status.state, restarted=False))
    known = tuple(ending for ending in endings if ending is not None)
    return ContainerFate(sys.intern(container.name), status.restart_count, known, memory, limited, shares)


def _ending(state: _State | None, *, restarted: bool) -> Ending | None:
    if state is None or state.terminated is None:
        return None
    ended = state.terminated
    at_start = ended.reason == _START_ERROR and _KILLED_AT_START in ended.message
    reason = OOM_KILLED if at_start else sys.intern(ended.reason)
    return Ending(reason, ended.exit_code, _seconds(ended.finished_at), restarted, _seconds(ended.started_at))


def _seconds(at: datetime | None) -> int:
    return max(0, int(at.timestamp())) if at else 0


def _memory(resources: Sequence[_Resources | None]) -> tuple[int, bool]:
    """The first limit, else the first request; and whether it is a limit."""
    given = [of for of in resources if of is not None]
    ranked = [(of.limits, True) for of in given] + [(of.requests, False) for of in given]
    for quantities, limited in ranked:
        written = (quantities or {}).get("memory")
        if written is not None:
            try:
                return parse_bytes(written), limited
            except QuantityError:
                continue
    return 0, False
