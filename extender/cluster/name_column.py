"""Names by row, in one buffer: as strings of their own they would take 50 bytes more each."""

from __future__ import annotations

from array import array
from typing import Final

LONGEST: Final = 255
"""Bytes of a name that fits; the API server allows 253."""


class NameColumn:
    """Room of a name that is gone is used for the next one of its length: names of one cluster have few lengths."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = array("I")
        self._length = array("B")
        self._spare: dict[int, array[int]] = {}
        """Length -> where there is room."""

    def get(self, row: int) -> str:
        """The name of a row; empty where none was put."""
        start = self._start[row]
        return self._buffer[start : start + self._length[row]].decode()

    def put(self, row: int, name: str) -> None:
        """Name a row, instead of what it was named before.

        Raises:
            ValueError: the name is longer than `LONGEST` bytes.
        """
        written = name.encode()
        while row >= len(self._start):
            self._start.append(0)
            self._length.append(0)
        start, length = self._start[row], len(written)
        if length > LONGEST:
            raise ValueError(f"name {name!r} has {length} bytes; give at most {LONGEST}")
        if length != self._length[row]:
            if self._length[row]:
                self._spare.setdefault(self._length[row], array("I")).append(start)
            spare = self._spare.get(length)
            start = spare.pop() if spare else len(self._buffer)
        self._buffer[start : start + length] = written
        self._start[row], self._length[row] = start, length

    def copy(self) -> NameColumn:
        """Another one of the same content."""
        other = NameColumn()
        other._buffer, other._start, other._length = self._buffer[:], self._start[:], self._length[:]
        other._spare = {length: starts[:] for length, starts in self._spare.items()}
        return other
