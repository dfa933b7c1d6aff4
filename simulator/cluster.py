"""The state of a simulated cluster: integer arrays over nodes, updated by each placement and departure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.trace import GPU_SCALE, NodeRow, PodShape

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Cluster:
    """Nodes by slot number. A fixed cluster fills all slots at once; an elastic one opens and closes them.

    All arrays have one entry (or row) a slot; CPU is millicores, memory bytes, GPU thousandths of a device, money
    micro-dollars an hour. Only the methods write; policies read.
    """

    def __init__(self, types: Sequence[NodeRow], slots: int) -> None:
        self.types = tuple(types)
        self.devices = max((row.gpu_count for row in types), default=0)
        self.models = sorted({row.gpu_model for row in types if row.gpu_count})
        self.slots = 0
        self.changes: list[int] = []
        """Slots in the order in which they changed: a reader that knows how far it read can refresh just those."""
        self._spare: list[int] = []
        self._allocate(max(1, slots))

    def _allocate(self, size: int) -> None:
        self.cpu, self.memory, self.pods_left = (np.zeros(size, np.int64) for _ in range(3))
        self.cpu_capacity, self.memory_capacity, self.pods_capacity = (np.zeros(size, np.int64) for _ in range(3))
        self.gpu = np.zeros((size, self.devices), np.int64)
        self.gpu_capacity, self.model, self.kind, self.price = (np.zeros(size, np.int64) for _ in range(4))
        self.gpu_whole, self.gpu_largest, self.gpu_left = (np.zeros(size, np.int64) for _ in range(3))
        self.residents = np.zeros(size, np.int64)
        self.active = np.zeros(size, np.bool_)

    def open(self, kind: int) -> int:
        """Add an empty node of a type; returns its slot."""
        slot = self._spare.pop() if self._spare else self.slots
        if slot == self.slots:
            self.slots += 1
            if slot >= len(self.cpu):
                self._grow()
        row = self.types[kind]
        self.cpu[slot] = self.cpu_capacity[slot] = row.cpu_millicores
        self.memory[slot] = self.memory_capacity[slot] = row.memory_bytes
        self.pods_left[slot] = self.pods_capacity[slot] = row.max_pods
        self.gpu[slot] = 0
        self.gpu[slot, : row.gpu_count] = GPU_SCALE
        self.gpu_capacity[slot] = row.gpu_count * GPU_SCALE
        self.model[slot] = self.models.index(row.gpu_model) if row.gpu_count else -1
        self.kind[slot], self.price[slot], self.residents[slot] = kind, row.price_micro_usd_per_hour, 0
        self.active[slot] = True
        self._gpu_changed(slot)
        return slot

    def close(self, slot: int) -> None:
        """Take an empty node out.

        Raises:
            ValueError: pods still stand on it.
        """
        if self.residents[slot]:
            raise ValueError(f"node in slot {slot}: {self.residents[slot]} pods stand on it; remove them first")
        self.active[slot] = False
        self._spare.append(slot)
        self.changes.append(slot)

    def fits(self, shape: PodShape, nodes: Ints) -> Mask:
        """Which of some nodes take one pod more of a shape."""
        mask = (
            self.active[nodes]
            & (self.cpu[nodes] >= shape.cpu_millicores)
            & (self.memory[nodes] >= shape.memory_bytes)
            & (self.pods_left[nodes] >= 1)
        )
        if shape.gpu_count:
            mask &= self.gpu_fits(shape, nodes)
        return mask

    def gpu_fits(self, shape: PodShape, nodes: Ints) -> Mask:
        """Which of some nodes have the devices a shape asks for: whole ones, or one that holds the whole share."""
        whole = shape.gpu_milli == GPU_SCALE
        mask: Mask = (self.gpu_whole if whole else self.gpu_largest)[nodes] >= (
            shape.gpu_count if whole else shape.gpu_milli
        )
        if shape.gpu_models:
            mask &= np.isin(self.model[nodes], self.model_numbers(shape))
        return mask

    def model_numbers(self, shape: PodShape) -> list[int]:
        """The models that a shape allows, as they are numbered here."""
        return [number for number, name in enumerate(self.models) if name in shape.gpu_models]

    def best_device(self, shape: PodShape, slot: int) -> int:
        """The device on which a share leaves least."""
        free = self.gpu[slot]
        return int(np.where(free >= shape.gpu_milli, free, GPU_SCALE + 1).argmin())

    def place(self, shape: PodShape, slot: int, device: int | None = None) -> tuple[int, ...]:
        """Put one pod on a node on which it fits; returns its devices."""
        devices: tuple[int, ...] = ()
        if shape.gpu_count and shape.gpu_milli == GPU_SCALE:
            devices = tuple(int(d) for d in np.flatnonzero(self.gpu[slot] == GPU_SCALE)[: shape.gpu_count])
        elif shape.gpu_count:
            devices = (self.best_device(shape, slot) if device is None else device,)
        self._take(shape, slot, devices, 1)
        return devices

    def remove(self, shape: PodShape, slot: int, devices: tuple[int, ...]) -> None:
        """Take a pod off its node."""
        self._take(shape, slot, devices, -1)

    def _take(self, shape: PodShape, slot: int, devices: tuple[int, ...], count: int) -> None:
        self.cpu[slot] -= count * shape.cpu_millicores
        self.memory[slot] -= count * shape.memory_bytes
        self.pods_left[slot] -= count
        self.residents[slot] += count
        for device in devices:
            self.gpu[slot, device] -= count * shape.gpu_milli
        if devices:
            self._gpu_changed(slot)
        else:
            self.changes.append(slot)

    def _gpu_changed(self, slot: int) -> None:
        free = self.gpu[slot]
        if self.devices:
            self.gpu_whole[slot] = int((free == GPU_SCALE).sum())
            self.gpu_largest[slot] = int(free.max())
            self.gpu_left[slot] = int(free.sum())
        self.changes.append(slot)

    def _grow(self) -> None:
        old = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        size = len(self.cpu)
        self._allocate(2 * size)
        for name, value in old.items():
            getattr(self, name)[:size] = value
