"""From the JSON of an Event to the containers that lost their memory.

Formats: kubelet (pkg/kubelet/eviction, pkg/kubelet/oom) and node-problem-detector.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from stowplan.model.quantity import QuantityError, parse_bytes

EVICTED: Final = "Evicted"
OOM_REASONS: Final = ("OOMKilling", "SystemOOM")
REASONS: Final = (EVICTED, *OOM_REASONS)
_POD_UID: Final = re.compile(r"\bpod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})\b")
"""The pod's part of a cgroup's name; systemd's driver writes underscores."""


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """What an Event says about memory."""

    reason: str
    """One of `REASONS`."""
    namespace: str
    pod: str
    """Empty where the event is about a node and names no pod."""
    pod_uid: str
    """Empty as for `pod`."""
    containers: tuple[str, ...]
    """Those that used more than they had asked for; empty where the event does not say."""
    usages: tuple[int, ...]
    """What each of them used, bytes; 0 where the event does not say."""
    t_s: int
    """First occurrence, so that repetitions of the event are the same incident."""


class _Object(msgspec.Struct):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class _Meta(msgspec.Struct, rename="camel"):
    annotations: dict[str, str] | None = None
    creation_timestamp: datetime | None = None


class _Source(msgspec.Struct):
    component: str = ""


class _Event(msgspec.Struct, rename="camel"):
    metadata: _Meta
    involved_object: _Object = msgspec.field(default_factory=_Object)
    reason: str = ""
    message: str = ""
    source: _Source | None = None
    reporting_component: str = ""
    first_timestamp: datetime | None = None
    event_time: datetime | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)


def project_memory_event(raw: bytes | msgspec.Raw) -> MemoryEvent | None:
    """What the Event says about memory, or None where it is about something else: an eviction by the API or for disk, for example.

    Raises:
        msgspec.DecodeError: no Event.
    """
    event = _EVENT.decode(raw)
    if event.reason not in REASONS or (event.reason == EVICTED and not _for_memory(event)):
        return None
    about = event.involved_object
    annotations = event.metadata.annotations or {}
    at = event.first_timestamp or event.event_time or event.metadata.creation_timestamp
    containers = tuple(name for name in annotations.get("offending_containers", "").split(",") if name)
    uid = about.uid if about.kind == "Pod" else _uid_in(event.message)
    return MemoryEvent(
        event.reason,
        about.namespace if about.kind == "Pod" else "",
        about.name if about.kind == "Pod" else "",
        uid,
        containers,
        _usages(annotations.get("offending_containers_usage", ""), len(containers)),
        int(at.timestamp()) if at else 0,
    )


def _for_memory(event: _Event) -> bool:
    """Whether the kubelet evicted a pod because the node ran out of memory."""
    component = event.reporting_component or (event.source.component if event.source else "")
    starved = (event.metadata.annotations or {}).get("starved_resource", "")
    return component == "kubelet" and event.involved_object.kind == "Pod" and starved == "memory"


def _usages(text: str, containers: int) -> tuple[int, ...]:
    written = text.split(",")
    return tuple(map(_bytes, written)) if len(written) == containers else (0,) * containers


def _bytes(quantity: str) -> int:
    try:
        return parse_bytes(quantity)
    except QuantityError:
        return 0


def _uid_in(message: str) -> str:
    found = _POD_UID.search(message)
    return found.group(1).replace("_", "-") if found else ""
