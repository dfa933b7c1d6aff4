"""What a call carries. Its node names are left as the bytes they came in.

Thousands of names come with every call, and a decision looks for a few of them. Making a string of each and a set of them all took a
third of a call over 5,000 names (measured); finding one among the bytes takes microseconds. One that is not there takes longest, though,
and pods that keep away from each other have their best nodes taken from the list one by one: hundreds of names looked for in vain, in each
call. So after a few of those the set is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, overload

import msgspec

_NAMES: Final = msgspec.json.Decoder(list[str])
_IN_VAIN: Final = 32
"""Names that were not there, after which a set is made: it costs as much as looking for so many. The ledger gives up looking before that,
and then needs none."""
_DELIMITERS: Final = (b"\\", b"[", b"{")
"""With an escape, a name could be written in another way; the others do not belong into an array of names."""


class OfferedNames(Sequence[str]):
    """An immutable sequence over a JSON array of strings. Decoded only where all of it is asked for.

    Args:
        encoded: valid JSON, such as `msgspec.Raw` holds.

    Raises:
        msgspec.DecodeError: no array of strings.
    """

    __slots__ = ("_decoded", "_in_vain", "_length", "_set", "encoded")

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self._decoded = None if _is_plain(encoded) else _NAMES.decode(encoded)
        self._length = encoded.count(b",") + 1 if self._decoded is None else len(self._decoded)
        self._set: frozenset[str] | None = None
        self._in_vain = 0

    def __contains__(self, name: object) -> bool:
        if self._set is not None:
            return name in self._set
        if self._decoded is not None or self._in_vain >= _IN_VAIN:
            self._set = frozenset(self._names())
            return name in self._set
        found = isinstance(name, str) and b'"%b"' % name.encode() in self.encoded
        self._in_vain += not found
        return found

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._names()[index]

    def _names(self) -> list[str]:
        if self._decoded is None:
            self._decoded = _NAMES.decode(self.encoded)
        return self._decoded


class ExtenderArgs(msgspec.Struct, frozen=True):
    """What a call carries: the pod's JSON, still raw, and the names of the nodes offered.

    `objects` holds the Node objects by name where the scheduler sends them (`nodeCacheCapable: false`), and is None where it does not.
    """

    pod: msgspec.Raw
    names: Sequence[str]
    objects: dict[str, msgspec.Raw] | None = None


def _is_plain(encoded: bytes) -> bool:
    """Whether each quote delimits a name, and commas stand between names only.

    Names of nodes are DNS subdomains (`apimachinery` validates them), so no name holds a comma. An element that is no string is not found
    out here; it is then a name that no node has.
    """
    if not (encoded.startswith(b'["') and encoded.endswith(b'"]') and encoded.isascii()):
        return False
    return not any(encoded.find(delimiter, 1) >= 0 for delimiter in _DELIMITERS)
