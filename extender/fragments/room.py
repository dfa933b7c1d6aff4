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


class OfResource(NamedTuple):
    """The devices of one resource."""

    left: Ints
    """Device x node: what is free; 0 on devices of other resources."""
    size: Ints
    """By node, what a device holds in all; 0 where there is none."""
    gpus: Floats
    """By node, GPUs that one unit is worth."""


@dataclass(frozen=True, slots=True)
class Room:
    """Some nodes. A device is one on which shares have to fit, or all devices of a kind that are handed out whole."""

    cpu: Ints
    """Millicores."""
    memory: Ints
    """Bytes."""
    left: Ints
    """Device x node: what is free, in units of its resource."""
    size: Ints
    """Device x node: what it holds in all; 0 where the node has no such device. Devices of one resource are alike on a node."""
    resource: Ints
    """Device x node: number of its resource; -1 where there is none."""
    gpus: Floats
    """Device x node: GPUs that one unit is worth."""
    accepts: Mask
    """Kind of the mix x node: whether selectors and taints let such pods stand there."""

    @property
    def free(self) -> Floats:
        """GPUs that are free, by node."""
        amount: Floats = (self.left * self.gpus).sum(0)
        return amount

    @property
    def total(self) -> Floats:
        """GPUs that there are, by node."""
        amount: Floats = (self.size * self.gpus).sum(0)
        return amount

    def of(self, resource: int) -> OfResource:
        """What there is of one resource."""
        here = self.resource == resource
        size, gpus = np.where(here, self.size, 0).max(0, initial=0), np.where(here, self.gpus, 0.0).max(0, initial=0.0)
        return OfResource(np.where(here, self.left, 0), size, gpus)

    def with_pod(self, demand: Demand) -> Room:
        """Every node with one pod more, its share on the device where it leaves least, as device plugins pack.

        A node that has no device for it (what stands there is packed otherwise than it is taken to be) keeps its devices as they are.
        """
        left = self.left
        if demand.amount > 0:
            there = self.of(demand.resource)
            left = self.left.copy()
            shared = np.flatnonzero(there.size >= demand.amount)
            if len(shared):
                free = there.left[:, shared]
                fitting = np.where(free >= demand.amount, free, _MORE_THAN_ANY)
                device = fitting.argmin(0)
                takes = fitting[device, np.arange(len(shared))] < _MORE_THAN_ANY
                left[device[takes], shared[takes]] -= demand.amount
            spanning, size = _spanning(there, demand.amount)
            if len(spanning):
                whole = (there.left[:, spanning] == size) & (self.size[:, spanning] > 0)
                taken = whole & (np.cumsum(whole, 0) <= -(-demand.amount // size))
                left[:, spanning] = np.where(taken, 0, left[:, spanning])
        return replace(self, cpu=self.cpu - demand.cpu, memory=self.memory - demand.memory, left=left)

    def copies(self, there: OfResource, amount: int) -> Ints:
        """How many pods that ask for an amount of one resource the devices of each node take."""
        copies: Ints = (there.left // amount).sum(0)
        spanning, size = _spanning(there, amount)
        if len(spanning):
            whole = ((there.left[:, spanning] == size) & (self.size[:, spanning] > 0)).sum(0)
            copies[spanning] = whole // -(-amount // size)
        return copies


def _spanning(there: OfResource, amount: int) -> tuple[Ints, Ints]:
    """Nodes on which the amount is several whole devices, and what one holds."""
    nodes = np.flatnonzero((there.size > 0) & (there.size < amount))
    return nodes, there.size[nodes]
