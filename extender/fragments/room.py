"""What is free on nodes with GPUs, as arrays, and what is left of it once a pod is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_MORE_THAN_ANY: Final = np.iinfo(np.int64).max


class Demand(NamedTuple):
    """What a pod asks of a node with GPUs."""

    cpu: int
    """Millicores."""
    memory: int
    """Bytes."""
    resource: int = -1
    """Number of the GPU resource; -1 for a pod that asks for none."""
    amount: int = 0
    """In units of the resource. More than a device holds are whole devices."""


@dataclass(frozen=True, slots=True)
class Room:
    """Some nodes, one row each. A device is one on which shares have to fit, or all devices of a kind that are handed out whole."""

    cpu: Ints
    """Millicores."""
    memory: Ints
    """Bytes."""
    left: Ints
    """Node x device: what is free, in units of its resource."""
    size: Ints
    """Node x device: what it holds in all; 0 where the node has no such device. Devices of one resource are alike on a node."""
    resource: Ints
    """Node x device: number of its resource; -1 where there is none."""
    gpus: Floats
    """Node x device: GPUs that one unit is worth."""
    accepts: Mask
    """Node x kind of the mix: whether selectors and taints let such pods stand there."""

    @property
    def free(self) -> Floats:
        """GPUs that are free, by node."""
        amount: Floats = (self.left * self.gpus).sum(1)
        return amount

    @property
    def total(self) -> Floats:
        """GPUs that there are, by node."""
        amount: Floats = (self.size * self.gpus).sum(1)
        return amount

    def of(self, resource: int) -> tuple[Ints, Ints, Floats]:
        """For one resource: what is left by device, and by node what a device holds and the GPUs of a unit."""
        here = self.resource == resource
        gpus = np.where(here, self.gpus, 0.0).max(1, initial=0.0)
        return np.where(here, self.left, 0), np.where(here, self.size, 0).max(1, initial=0), gpus

    def with_pod(self, demand: Demand) -> Room:
        """Every node with one pod more, its share on the device where it leaves least, as device plugins pack.

        A node that has no device for it (what stands there is packed otherwise than it is taken to be) keeps its devices as they are.
        """
        left = self.left
        if demand.amount > 0:
            free, size, _ = self.of(demand.resource)
            left = self.left.copy()
            shared = np.flatnonzero((demand.amount > 0) & (demand.amount <= size))
            if len(shared):
                fitting = np.where(free[shared] >= demand.amount, free[shared], _MORE_THAN_ANY)
                device = fitting.argmin(1)
                takes = fitting[np.arange(len(shared)), device] < _MORE_THAN_ANY
                left[shared[takes], device[takes]] -= demand.amount
            spanning = np.flatnonzero((size > 0) & (size < demand.amount))
            if len(spanning):
                whole = (free[spanning] == size[spanning, None]) & (self.size[spanning] > 0)
                needed = -(-demand.amount // size[spanning])
                taken = whole & (np.cumsum(whole, 1) <= needed[:, None])
                left[spanning] = np.where(taken, 0, left[spanning])
        return replace(self, cpu=self.cpu - demand.cpu, memory=self.memory - demand.memory, left=left)
