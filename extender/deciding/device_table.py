"""The nodes' GPUs as arrays: what is left on each device, as pods that stand and room that is held are taken to be packed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extender.cluster.snapshot import NodeInfo
from extender.fragments.room import Demand, Floats, Ints, Mask, Room
from stowplan.model.devices import SHARED, devices_of, is_gpu, left_on_devices
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature
from stowplan.model.resources import Amounts

_FIRST_ROWS: Final = 64
_NOBODY: Final[tuple[PodSignature, ...]] = ()


@dataclass(frozen=True, slots=True)
class _Device:
    left: int
    size: int
    resource: int
    gpus: float


class DeviceTable:
    """Rows are those of the node table. A resource that hands out whole devices is one device of so many units: shares of it always fit."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        """Row -> node, of those that have GPUs."""
        self.has: Mask = np.zeros(_FIRST_ROWS, np.bool_)
        """Rows of nodes that have GPUs."""
        self._without: dict[int, Node] = {}
        """Row -> node, of those that have none: they change as often as the others, and need not be looked at again."""
        self._infos: dict[int, NodeInfo] = {}
        self._held: dict[int, Sequence[PodSignature]] = {}
        self._resources: dict[str, int] = {}
        self._left, self._size, self._resource = (np.zeros((_FIRST_ROWS, 1), np.int64) for _ in range(3))
        self._gpus: Floats = np.zeros((_FIRST_ROWS, 1), np.float64)

    def put(self, row: int, info: NodeInfo) -> bool:
        """The node of a row is new or has changed; whether it has GPUs."""
        if self._without.get(row) is info.node:
            return False
        if not any(amount > 0 and is_gpu(resource) for resource, amount in info.node.allocatable.items()):
            self.drop(row)
            self._without[row] = info.node
            return False
        self._without.pop(row, None)
        self._infos[row], self.nodes[row] = info, info.node
        self._write(row)
        return True

    def drop(self, row: int) -> None:
        """The node of a row is gone, or has no GPUs. Unknown ones are ignored."""
        self._held.pop(row, None)
        self._without.pop(row, None)
        if self._infos.pop(row, None) is not None:
            del self.nodes[row]
            self.has[row] = False

    def hold(self, row: int, held: Sequence[PodSignature]) -> None:
        """Room is held on the node for exactly these pods."""
        if held:
            self._held[row] = held
        else:
            self._held.pop(row, None)
        if row in self._infos:
            self._write(row)

    def demand(self, asked: Amounts) -> Demand:
        """What some requests come to. Of several GPU resources the first counts."""
        resource = gpu_asked(asked)
        amounts = asked.get("cpu", 0), asked.get("memory", 0)
        return Demand(*amounts, self._number(resource), asked[resource]) if resource else Demand(*amounts)

    def room(self, rows: Ints, cpu: Ints, memory: Ints, accepts: Mask) -> Room:
        """Some nodes with GPUs, with what is free of the rest and the kinds of pods that they accept."""
        left, size, resource = (np.ascontiguousarray(a[rows].T) for a in (self._left, self._size, self._resource))
        return Room(cpu, memory, left, size, resource, np.ascontiguousarray(self._gpus[rows].T), accepts)

    def among(self, rows: Ints) -> Mask:
        """Which of some rows are nodes with GPUs."""
        known = np.zeros(len(rows), np.bool_)
        inside = rows < len(self.has)
        known[inside] = self.has[rows[inside]]
        return known

    def milli_gpus(self, row: int) -> int:
        """All GPUs of a node in thousandths."""
        return round(1000 * float((self._size[row] * self._gpus[row]).sum())) if row in self.nodes else 0

    def _number(self, resource: str) -> int:
        return self._resources.setdefault(resource, len(self._resources))

    def _write(self, row: int) -> None:
        devices = list(self._devices(self._infos[row], self._held.get(row, _NOBODY)))
        self._grow(row + 1, len(devices))
        self._left[row], self._size[row], self._resource[row], self._gpus[row] = 0, 0, -1, 0.0
        for column, device in enumerate(devices):
            self._left[row, column], self._size[row, column] = device.left, device.size
            self._resource[row, column], self._gpus[row, column] = device.resource, device.gpus
        self.has[row] = True

    def _devices(self, info: NodeInfo, held: Sequence[PodSignature]) -> Iterable[_Device]:
        offered = info.node.allocatable
        for resource in sorted(name for name, amount in offered.items() if amount > 0 and is_gpu(name)):
            shares = list(_asked(resource, info.residents, held))
            number = self._number(resource)
            if resource not in SHARED:
                total = offered[resource]
                yield _Device(max(0, total - sum(shares)), total, number, 1.0)
                continue
            count, each = devices_of(offered, resource)
            if each > 0:
                # pods that stand there as we take none to stand: nothing is known to be left
                left = left_on_devices(shares, count, each) or [0] * count
                yield from (_Device(free, each, number, 1 / each) for free in left)

    def _grow(self, rows: int, columns: int) -> None:
        have = self._left.shape
        if rows <= have[0] and columns <= have[1]:
            return
        more = (0, max(0, 2 * rows - have[0]) if rows > have[0] else 0), (0, max(0, columns - have[1]))
        self._left, self._size = np.pad(self._left, more), np.pad(self._size, more)
        self._gpus = np.pad(self._gpus, more)
        self._resource = np.pad(self._resource, more, constant_values=-1)
        self.has = np.pad(self.has, more[0])


def gpu_asked(asked: Amounts) -> str:
    """The GPU resource among some requests, empty where there is none."""
    return min((resource for resource, amount in asked.items() if amount > 0 and is_gpu(resource)), default="")


def _asked(resource: str, residents: Mapping[PodSignature, int], held: Sequence[PodSignature]) -> Iterable[int]:
    """What each pod asks for of a resource, of those that ask for any."""
    for signature, count in residents.items():
        for name, amount in signature.requests:
            if name == resource and amount > 0:
                yield from (amount for _ in range(count))
    for signature in held:
        yield from (amount for name, amount in signature.requests if name == resource and amount > 0)
