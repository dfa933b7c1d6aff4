"""The measure: how much of a node's free GPU the pods that come could not use.

FGD (Weng et al., "Beware of Fragmentation", USENIX ATC 2023) counts free GPU as a fragment for a pod that does not fit at all, or on
devices too small for it, weighed by how often such pods are seen. This measure fills the node with copies of one pod, so that CPU and
memory that run out before the GPUs count as well, and takes the cube root of the share that was filled: the first copies matter most,
because other pods fill the rest. Like FGD's it is an expectation over the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extender.fragments.room import Demand, Floats, Ints, Room

_NOTHING: Final = 1e-12
"""GPUs below which nothing is free."""


@dataclass(frozen=True, slots=True)
class PodMix:
    """Kinds of pods that ask for GPUs, and how often each is seen."""

    weights: Floats
    """Share of each kind; they add up to one."""
    cpu: Ints
    memory: Ints
    asked: tuple[tuple[int, int], ...]
    """The different (resource, amount) of the kinds: devices are compared once for each."""
    which: Ints
    """Kind -> position in `asked`."""

    @staticmethod
    def of(kinds: Sequence[tuple[Demand, int]]) -> PodMix:
        """The mix of some kinds, at least one, by how often each was seen."""
        weights = np.array([count for _, count in kinds], np.float64)
        asked = tuple(dict.fromkeys((demand.resource, demand.amount) for demand, _ in kinds))
        return PodMix(
            weights / weights.sum(),
            np.array([demand.cpu for demand, _ in kinds], np.int64),
            np.array([demand.memory for demand, _ in kinds], np.int64),
            asked,
            np.array([asked.index((demand.resource, demand.amount)) for demand, _ in kinds], np.int64),
        )


def unusable(mix: PodMix, room: Room) -> Floats:
    """Expected free GPU that copies of one pod leave, by node, in GPUs; see the module."""
    free = room.free
    there = {resource: room.of(resource) for resource, _ in mix.asked}
    by_asked = np.stack([room.copies(there[resource], amount) for resource, amount in mix.asked])
    gpus = np.stack([there[resource].gpus * amount for resource, amount in mix.asked])
    copies = np.where(room.accepts, by_asked[mix.which], 0)
    for left, asked in ((room.cpu, mix.cpu), (room.memory, mix.memory)):
        # in doubles: no amount that somebody asks for can overflow
        kind, node = (copies * asked.astype(np.float64)[:, None] > left).nonzero()
        copies[kind, node] = np.maximum(left[node], 0) // asked[kind]
    share = np.cbrt(copies * (gpus / np.maximum(free, _NOTHING))[mix.which])
    expected: Floats = free - free * (mix.weights @ share)
    return expected
