"""What server and planner process say to each other, and how it is framed on their socket.

Frames are pickles behind a length. Both ends are one program and the socket is an inherited, unnamed pair, so nobody else can write to it.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from extender.cluster.uid_index import Uids
from extender.lifetimes.node_values import NodeValues
from extender.plan import Plan
from stowplan.model.workload_class import WorkloadClass

Event = tuple[str, tuple[Any, ...]]
"""Name of a `Cache` method and its arguments."""

HEADER: Final = struct.Struct(">I")
CHUNK: Final = 500
"""Nodes, pods or the like in one frame: pickling one stays in the low milliseconds, so that requests are not kept waiting."""
_LISTS: Final = {
    "replace_nodes": "upsert_node",
    "replace_pods": "upsert_pod",
    "replace_owners": "upsert_owner",
    "replace_templates": "upsert_template",
}
"""Events whose first argument is a list that may be long, and the event of one more entry."""
_KEPT: Final = {"replace_pods": ("keep_pods", attrgetter("uid")), "replace_nodes": ("keep_nodes", attrgetter("name"))}
"""Of these a long list comes entry by entry, and after them what to keep: a shorter list in between would say that all others are gone,
and a mirror that knows them would learn that they have ended."""


@dataclass(frozen=True, slots=True)
class Configure:
    """First message to a planner process."""

    classes: Mapping[str, WorkloadClass]
    time_limit_s: float
    idle_window_s: float
    max_window_s: float
    workers: int = 1
    seed: int = 1
    latency_budget_permille: int = 0
    whole_order: bool = True


@dataclass(frozen=True, slots=True)
class Events:
    """Events of the cache, in order."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Synced:
    """The mirror is complete: plans make sense from now on."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The workload classes have changed."""

    classes: Mapping[str, WorkloadClass]


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer, between two plans."""

    number: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A new plan."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Valued:
    """What was learned about nodes; published apart from plans, as it changes more slowly."""

    values: NodeValues


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong in the planner process, which goes on."""

    what: str
    """`plan` (no plan could be made), `solver` (the greedy one was published) or `event` (the mirror may be wrong: resync)."""
    error: str


Message = Configure | Events | Synced | Classes | Ping | Pong | Planned | Valued | Failed


def encode(message: Message) -> bytes:
    """One frame."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def decode(body: bytes | memoryview) -> Message:
    """The message of a frame without its header."""
    message: Message = pickle.loads(body)  # noqa: S301  # written by our own other half on an inherited socket
    return message


class FrameReader:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages completed by `data`."""
        self._buffer += data
        messages = []
        start = 0
        while len(self._buffer) - start >= HEADER.size:
            (size,) = HEADER.unpack_from(self._buffer, start)
            end = start + HEADER.size + size
            if len(self._buffer) < end:
                break
            messages.append(decode(bytes(self._buffer[start + HEADER.size : end])))
            start = end
        del self._buffer[:start]
        return messages


def as_of_now(method: str, arguments: tuple[Any, ...]) -> Event:
    """An event as it is now, to be sent later: the cache's own collections go on changing."""
    return (method, (list(arguments[0]), *arguments[1:])) if method in _LISTS else (method, arguments)


def is_long(method: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an event is too long for one frame."""
    return method in _LISTS and len(arguments[0]) > CHUNK


def chunked(events: Iterable[Event]) -> Iterator[tuple[Event, ...]]:
    """The events in frames of bounded size; a long `replace_` list becomes single events, and a list of keys."""
    frame: list[Event] = []
    weight = 0
    for event in _split(events):
        frame.append(event)
        weight += len(event[1][0]) if event[0] in _LISTS else 1
        if weight >= CHUNK:
            yield tuple(frame)
            frame, weight = [], 0
    if frame:
        yield tuple(frame)


def _split(events: Iterable[Event]) -> Iterator[Event]:
    for method, arguments in events:
        if not is_long(method, arguments):
            yield as_of_now(method, arguments)
            continue
        if method in _KEPT:
            keep, key = _KEPT[method]
            kept = Uids()
            for one in arguments[0]:
                kept.add(key(one))
                yield _LISTS[method], (one,)
            yield keep, (kept,)
        else:
            listed = list(arguments[0])
            yield method, (listed[:CHUNK], *arguments[1:])
            yield from ((_LISTS[method], (one,)) for one in listed[CHUNK:])
