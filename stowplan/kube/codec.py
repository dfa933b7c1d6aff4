"""The JSON envelopes of the API, decoded without touching the objects inside.

An object stays a slice of the received bytes (`msgspec.Raw`) until its projection decodes it, once.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from stowplan.kube.errors import ApiError, BrokenStream, api_error

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""Bound of one watch line. etcd refuses objects above 1.5 MiB and the API server requests above 3 MiB;
JSON can be a few times larger than the stored protobuf."""


class ObjectKey(NamedTuple):
    """Identity of an object. ``namespace`` is empty for cluster-scoped objects."""

    namespace: str
    name: str
    uid: str


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """Metadata of a list: its resource version and, when there is more, the continue token."""

    resource_version: str = ""
    continue_token: str = msgspec.field(default="", name="continue")


class ListEnvelope(msgspec.Struct, frozen=True):
    """One page of a list."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class WatchEnvelope(msgspec.Struct, frozen=True):
    """One watch event: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    object: msgspec.Raw


class StatusBody(msgspec.Struct, frozen=True):
    """A ``Status`` object, the API's way to say what failed."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Any = None


class _ObjectMeta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _MetaOnly(msgspec.Struct, frozen=True):
    metadata: _ObjectMeta


_LIST: Final = msgspec.json.Decoder(ListEnvelope)
_EVENT: Final = msgspec.json.Decoder(WatchEnvelope)
_STATUS: Final = msgspec.json.Decoder(StatusBody)
_META: Final = msgspec.json.Decoder(_MetaOnly)


def decode_list(body: bytes) -> ListEnvelope:
    """One page of a list. Raises `msgspec.DecodeError` when it is none."""
    return _LIST.decode(body)


def decode_event(line: bytes) -> WatchEnvelope:
    """One line of a watch. Raises `msgspec.DecodeError` when it is none."""
    return _EVENT.decode(line)


def identify(raw: bytes | msgspec.Raw) -> tuple[ObjectKey, str]:
    """Key and resource version of an object. Raises `msgspec.DecodeError` when it has no metadata."""
    meta = _META.decode(raw).metadata
    return ObjectKey(meta.namespace, meta.name, meta.uid), meta.resource_version


def error_from_status(
    body: bytes | msgspec.Raw, *, status: int | None = None, retry_after: float | None = None
) -> ApiError:
    """The error that a failure's body describes, whatever the body is.

    Args:
        body: a ``Status`` object, or anything (a proxy's page, nothing at all).
        status: the HTTP status; ``None`` takes the object's ``code``, as in a watch's ERROR event.
        retry_after: seconds from the ``Retry-After`` header.
    """
    try:
        said = _STATUS.decode(body)
    except msgspec.DecodeError:
        text = bytes(body)[:200].decode("utf-8", "replace").strip()
        return api_error(status or 500, "", text or "no message", retry_after=retry_after)
    code = said.code if status is None else status
    if retry_after is None and isinstance(said.details, dict):
        seconds = said.details.get("retryAfterSeconds")
        retry_after = float(seconds) if isinstance(seconds, int) else None
    return api_error(code or 500, said.reason, said.message, said.details, retry_after=retry_after)


class LineSplitter:
    """Cuts a byte stream into lines, whatever the chunks; cost is linear in the bytes received."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines completed by ``chunk``, without their line ends; empty lines are left out.

        Raises:
            BrokenStream: more than ``max_line_bytes`` without a line end.
        """
        *complete, rest = chunk.split(b"\n")
        lines: list[bytes] = []
        for part in complete:
            self._hold(part)
            line = b"".join(self._parts)
            self._parts.clear()
            self._held = 0
            if line.strip():
                lines.append(line)
        self._hold(rest)
        return lines

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._max:
            raise BrokenStream(f"watch line of more than {self._max} bytes; the stream is dropped")
        if part:
            self._parts.append(part)
