"""UIDs as numbers: a string of 36 characters takes 96 bytes and its place in a dictionary 40 more, its number takes 16.

The API server writes UIDs as RFC 9562 does, in lower case. Whatever is written in another way is kept as it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

_LENGTH: Final = 36
_LOW: Final = 2**64 - 1
_FREE: Final = -1
_FIRST_SIZE: Final = 64


def _number(uid: str) -> int:
    """What may be the number of a UID; -1 where it is none."""
    if len(uid) != _LENGTH:
        return -1
    try:
        return int(uid.replace("-", ""), 16)
    except ValueError:
        return -1


def _written(number: int) -> str:
    """The UID of a number."""
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Uids:
    """Many UIDs in little room, in the order in which they came."""

    def __init__(self, uids: Iterable[str] = ()) -> None:
        self._high, self._low = array("Q"), array("Q")
        self._odd: list[str] = []
        for uid in uids:
            self.add(uid)

    def __len__(self) -> int:
        return len(self._high) + len(self._odd)

    def __iter__(self) -> Iterator[str]:
        yield from self._odd
        for high, low in zip(self._high, self._low, strict=True):
            yield _written(high << 64 | low)

    def add(self, uid: str) -> None:
        """One more."""
        number = _number(uid)
        if number < 0 or _written(number) != uid:
            self._odd.append(uid)
        else:
            self._high.append(number >> 64)
            self._low.append(number & _LOW)


class UidIndex:
    """Row numbers by UID: a hash table with linear probing over columns. Rows are given by the caller, and small."""

    def __init__(self) -> None:
        self._high, self._low = array("Q"), array("Q")
        """By row."""
        self._table = array("i", [_FREE]) * _FIRST_SIZE
        self._numbered = 0
        self._odd: dict[str, int] = {}
        self._odd_at: dict[int, str] = {}

    def __len__(self) -> int:
        return self._numbered + len(self._odd)

    def find(self, uid: str) -> int:
        """The row of a UID, or -1."""
        number = _number(uid)
        if number >= 0:
            row = self._table[self._place(number >> 64, number & _LOW)]
            if row != _FREE and _written(number) == uid:
                return row
        return self._odd.get(uid, -1) if self._odd else -1

    def uid(self, row: int) -> str:
        """The UID of a row that was put."""
        odd = self._odd_at.get(row) if self._odd_at else None
        return _written(self._high[row] << 64 | self._low[row]) if odd is None else odd

    def put(self, uid: str, row: int) -> None:
        """A UID that is not there gets a row that no other has."""
        number = _number(uid)
        while row >= len(self._high):
            self._high.append(0)
            self._low.append(0)
        if number < 0 or _written(number) != uid:
            self._odd[uid], self._odd_at[row] = row, uid
            return
        self._high[row], self._low[row] = number >> 64, number & _LOW
        if 3 * (self._numbered + 1) > 2 * len(self._table):
            self._grow()
        self._table[self._place(number >> 64, number & _LOW)] = row
        self._numbered += 1

    def remove(self, row: int) -> None:
        """The UID of a row is there no more."""
        if row in self._odd_at:
            del self._odd[self._odd_at.pop(row)]
            return
        self._close(self._place(self._high[row], self._low[row]))
        self._numbered -= 1

    def copy(self) -> UidIndex:
        """Another one of the same content."""
        other = UidIndex()
        other._high, other._low, other._table = self._high[:], self._low[:], self._table[:]
        other._numbered, other._odd, other._odd_at = self._numbered, dict(self._odd), dict(self._odd_at)
        return other

    def _place(self, high: int, low: int) -> int:
        """Where in the table a number is, or would be put."""
        table, highs, lows = self._table, self._high, self._low
        mask = len(table) - 1
        at = (low ^ low >> 32) & mask
        while (row := table[at]) != _FREE and not (lows[row] == low and highs[row] == high):
            at = (at + 1) & mask
        return at

    def _close(self, gap: int) -> None:
        """Free a place, and move up those that were put behind it because it was taken: nothing is left behind that lookups must pass."""
        table, lows = self._table, self._low
        mask = len(table) - 1
        at = gap
        while (row := table[at := (at + 1) & mask]) != _FREE:
            home = (lows[row] ^ lows[row] >> 32) & mask
            if (at - home) & mask >= (at - gap) & mask:
                table[gap] = row
                gap = at
        table[gap] = _FREE

    def _grow(self) -> None:
        rows = [row for row in self._table if row != _FREE]
        self._table = array("i", [_FREE]) * (2 * len(self._table))
        for row in rows:
            self._table[self._place(self._high[row], self._low[row])] = row
