"""Pods as columns. An object for each of 150,000 pods, with its strings and its place in a dictionary, is 400 bytes; a row here is 90."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Protocol

from extender.cluster.name_column import LONGEST, NameColumn
from extender.cluster.uid_index import UidIndex
from stowplan.model.pod import Owner, Pod, PodSignature

_IN_USE: Final = 32
_FLAGS: Final = tuple(tuple(bool(bits >> shift & 1) for shift in range(5)) for bits in range(_IN_USE))
"""By number: finished, deleting, gated, held, unschedulable."""
_NOBODY: Final = PodSignature("", (), ())
"""Of rows that are free."""


class PodObserver(Protocol):
    """Whoever wants to know which pods stand. Pods are known by small numbers, which are used again."""

    def stands(self, row: int, pod: Pod) -> None:
        """The pod stands on a node; it may be known already."""

    def gone(self, row: int) -> None:
        """The pod of this number stands no more. It may be unknown."""


class PodColumns:
    """Pods by UID. Those that stand on a node have a row each; the few that do not, and soon will, are kept as they are.

    What is taken out equals what was put in. It is made anew each time: changing it changes nothing here.

    Args:
        observer: told of rows.
    """

    def __init__(self, observer: PodObserver | None = None) -> None:
        self._observer = observer
        self._apart: dict[str, Pod] = {}
        """Without a node; also any that columns cannot hold."""
        self._index = UidIndex()
        self._names = NameColumn()
        self._signatures: list[PodSignature] = []
        self._owners: list[Owner | None] = []
        self._nodes: list[str] = []
        self._nominated: list[str] = []
        self._created, self._ends, self._flags = array("q"), array("q"), array("B")
        self._spare: list[int] = []

    def __len__(self) -> int:
        return len(self._apart) + len(self._index)

    def __iter__(self) -> Iterator[Pod]:
        yield from self._apart.values()
        yield from (self._at(row) for row, flags in enumerate(self._flags) if flags)

    def get(self, uid: str) -> Pod | None:
        """The pod of a UID, or None."""
        pod = self._apart.get(uid)
        if pod is not None:
            return pod
        row = self._index.find(uid)
        return None if row < 0 else self._at(row)

    def on(self, nodes: Collection[str]) -> Iterator[Pod]:
        """The pods that stand on some nodes."""
        yield from (pod for pod in self._apart.values() if pod.node_name in nodes)
        yield from (self._at(row) for row, node in enumerate(self._nodes) if node and node in nodes)

    def besides(self, uids: Iterable[str]) -> list[str]:
        """UIDs of all other pods."""
        apart, rows = dict.fromkeys(self._apart), bytearray(self._flags)
        for uid in uids:
            row = self._index.find(uid)
            if row >= 0:
                rows[row] = 0
            else:
                apart.pop(uid, None)
        return [*apart, *(self._index.uid(row) for row, is_left in enumerate(rows) if is_left)]

    def put(self, pod: Pod) -> None:
        """Keep a pod, instead of the one of the same UID."""
        waited = self._apart.pop(pod.uid, None) is not None
        row = -1 if waited else self._index.find(pod.uid)
        if not _fits_columns(pod):
            if row >= 0:
                self._free(row)
            self._apart[pod.uid] = pod
            return
        if row < 0:
            row = self._new_row(pod.uid)
        self._names.put(row, pod.name)
        self._signatures[row], self._owners[row] = pod.signature, pod.owner
        self._nodes[row], self._nominated[row] = pod.node_name, pod.nominated_node
        self._created[row], self._ends[row] = pod.created_s, pod.ends_s
        self._flags[row] = (
            _IN_USE | pod.finished | pod.deleting << 1 | pod.gated << 2 | pod.held << 3 | pod.unschedulable << 4
        )
        if self._observer is not None:
            self._observer.stands(row, pod)

    def pop(self, uid: str) -> Pod | None:
        """Keep a pod no more. Returns it, or None where it is not known."""
        pod = self._apart.pop(uid, None)
        if pod is not None:
            return pod
        row = self._index.find(uid)
        if row < 0:
            return None
        pod = self._at(row)
        self._free(row)
        return pod

    def copy(self) -> PodColumns:
        """Another one of the same pods; costs little more than copying that much memory."""
        other = PodColumns()
        other._apart, other._index, other._names = dict(self._apart), self._index.copy(), self._names.copy()
        other._signatures, other._owners = self._signatures[:], self._owners[:]
        other._nodes, other._nominated = self._nodes[:], self._nominated[:]
        other._created, other._ends, other._flags = self._created[:], self._ends[:], self._flags[:]
        other._spare = self._spare[:]
        return other

    def _new_row(self, uid: str) -> int:
        if self._spare:
            row = self._spare.pop()
        else:
            row = len(self._signatures)
            self._signatures.append(_NOBODY)
            self._owners.append(None)
            self._nodes.append("")
            self._nominated.append("")
            for numbers in (self._created, self._ends, self._flags):
                numbers.append(0)
        self._index.put(uid, row)
        return row

    def _free(self, row: int) -> None:
        if self._observer is not None:
            self._observer.gone(row)
        self._index.remove(row)
        self._names.put(row, "")
        self._signatures[row], self._owners[row], self._flags[row] = _NOBODY, None, 0
        self._nodes[row] = self._nominated[row] = ""
        self._spare.append(row)

    def _at(self, row: int) -> Pod:
        signature = self._signatures[row]
        return Pod(
            self._index.uid(row),
            signature.namespace,
            self._names.get(row),
            signature,
            self._owners[row],
            self._nodes[row],
            self._nominated[row],
            self._created[row],
            self._ends[row],
            *_FLAGS[self._flags[row] - _IN_USE],
        )


def _fits_columns(pod: Pod) -> bool:
    """Whether it stands, and is as the API server has them: of its signature's namespace, with a name of bounded length."""
    if not pod.node_name or pod.namespace != pod.signature.namespace:
        return False
    return len(pod.name) <= LONGEST and (pod.name.isascii() or len(pod.name.encode()) <= LONGEST)
