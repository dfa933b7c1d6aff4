"""Which bins could take one pod of an item now, and why the others could not.

Verdicts are made once for a kind of bins, resources compared as arrays; the reasons are worked out only when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from extender.binpacking.bins import Bin, Item
from extender.binpacking.eligibility import check
from extender.binpacking.refusal import Refusal, RefusalReason
from extender.binpacking.topology import Residents, repelled_domains
from extender.cluster.snapshot import Snapshot
from stowplan.model.pod import HostPort
from stowplan.model.resources import Shortfall, shortfalls

Closed = set[tuple[str, str]]
"""Topology domains (key and value) closed to an item."""


class Refusals(Sequence[Mapping[Refusal, int]]):
    """Item -> why bins are not eligible, and how many; counted on the first look."""

    def __init__(self, items: int, count: Callable[[int], Mapping[Refusal, int]]) -> None:
        self._items = items
        self._count = count
        self._known: dict[int, Mapping[Refusal, int]] = {}

    def __len__(self) -> int:
        return self._items

    @overload
    def __getitem__(self, item: int) -> Mapping[Refusal, int]: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Mapping[Refusal, int]]: ...
    def __getitem__(self, item: int | slice) -> Mapping[Refusal, int] | Sequence[Mapping[Refusal, int]]:
        if isinstance(item, slice):
            return [self[position] for position in range(*item.indices(self._items))]
        if not 0 <= item < self._items:
            raise IndexError(item)
        if item not in self._known:
            self._known[item] = self._count(item)
        return self._known[item]


def eligible_bins(
    items: Sequence[Item], bins: Sequence[Bin], residents: Residents, snapshot: Snapshot
) -> tuple[tuple[tuple[int, ...], ...], Refusals]:
    """Item -> bins, ascending; and the refusals of the others."""
    kinds = _Kinds(bins)
    eligible = []
    closed = [repelled_domains(item.signature, residents, snapshot.namespaces) for item in items]
    for item, domains in zip(items, closed, strict=True):
        fits = kinds.taking(item)
        if item.signature.host_ports or domains:
            fits = [index for index in fits if _standing(item, bins[index], domains) is None]
        eligible.append(tuple(fits))

    def why(item: int) -> Mapping[Refusal, int]:
        refused: Counter[Refusal] = Counter()
        for index in set(range(len(bins))).difference(eligible[item]):
            refusal = check(items[item].signature, bins[index].node) or _standing(
                items[item], bins[index], closed[item]
            )
            if refusal is not None:
                refused[refusal] += 1
        return refused

    return tuple(eligible), Refusals(len(items), why)


class _Kinds:
    """Bins by kind, and what is free of each resource there."""

    def __init__(self, bins: Sequence[Bin]) -> None:
        firsts: dict[int, Bin] = {}
        for place in bins:
            firsts.setdefault(place.kind, place)
        self._firsts = list(firsts.values())
        position = {kind: number for number, kind in enumerate(firsts)}
        self._of = np.array([position[place.kind] for place in bins], np.int64)
        self._free: dict[str, NDArray[np.float64]] = {}

    def taking(self, item: Item) -> list[int]:
        """Bins that static checks and free resources allow."""
        room = np.ones(len(self._firsts), np.bool_)
        for name, amount in item.requests.items():
            if name not in self._free:
                # doubles hold every amount below 2^53 exactly, and larger ones as well as anybody can tell them apart
                self._free[name] = np.array([place.free.get(name, 0) for place in self._firsts], np.float64)
            room &= self._free[name] >= amount
        for number in np.flatnonzero(room).tolist():
            room[number] = check(item.signature, self._firsts[number].node) is None
        found: list[int] = np.flatnonzero(room[self._of]).tolist() if len(self._of) else []
        return found


def _standing(item: Item, place: Bin, closed: Closed) -> Refusal | None:
    """What stands on the node already against one more pod; it cannot go away while a plan is made."""
    taken = {port for signature in place.info.residents for port in signature.host_ports}
    for port in item.signature.host_ports:
        if any(port.conflicts(other) for other in taken):
            return port_refusal(port)
    if any(place.free.get(name, 0) < amount for name, amount in item.requests.items()):
        lacking = shortfalls(item.requests, place.info.used, place.node.allocatable)
        return Refusal(RefusalReason.INSUFFICIENT_RESOURCES, tuple(lacking))
    labels = place.node.labels
    if any(labels.get(key) == value for key, value in closed):
        return Refusal(RefusalReason.ANTI_AFFINITY)
    return None


def port_refusal(port: HostPort) -> Refusal:
    """A host port that is taken: one asked, one used, of one."""
    return Refusal(RefusalReason.HOST_PORT, (Shortfall(f"host port {port.port}/{port.protocol}", 1, 1, 1),))
