"""Sizes of containers that are hardly known: like similar ones, following their own data as it comes, else the size table.

What the user asked for is not gone below until the class's least history has been seen; where the user asked for nothing the estimate is
free to move, as far as the change is worth it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from recommender.sizing.cold_start import Guess, guess
from recommender.sizing.grid import CPU_GRID, CPU_THRESHOLD, MEMORY_GRID, MEMORY_THRESHOLD, rounded
from recommender.sizing.peers import Peers
from recommender.sizing.published import Estimate
from recommender.sizing.sized import whole
from stowplan.model.profile import Source

_SOURCES: Final = {
    "similar": Source.SIMILAR,
    "similar and own": Source.SIMILAR_AND_OWN,
    "size table": Source.SIZE_TABLE,
    "size table and own": Source.SIZE_TABLE_AND_OWN,
}
OOM_CLAMP: Final = "OOM kill"
_MIB: Final = 2**20


class Newcomers:
    """Mixes what little is known with what similar containers need.

    Args:
        peers: containers with enough history.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def mixed(self, own: Estimate) -> Estimate:
        """The estimate of such a container."""
        view, sized = own.view, own.sized
        features, wclass = view.learned.slow.features, sized.wclass
        data = whole(sized.found.cpu[own.row]), whole(sized.found.memory[own.row])
        measured = data if min(data) > 0 else None
        peers = self._peers.of(features, wclass, view.learned)
        found = guess(features, peers, wclass.cold_start, measured, view.hours / 24 if measured else 0.0)
        needed = view.learned.slow.oom_bytes * 100 / (wclass.limits.memory_percent or 100)
        bounds = wclass.bounds
        cpu = min(max(found.cpu, bounds.cpu_min), bounds.cpu_max)
        memory = min(max(found.memory, needed, bounds.memory_min), bounds.memory_max)
        amounts = np.array([cpu], dtype=np.float64), np.array([memory], dtype=np.float64)
        said = _words(found)
        clamps: tuple[str, ...] = ()
        if needed > found.memory:
            said += f", memory for the {view.learned.slow.oom_bytes / _MIB:.0f} MiB that an OOM kill asks for"
            clamps = (OOM_CLAMP,)
        mixed = whole(rounded(amounts[0], CPU_GRID)[0]), whole(rounded(amounts[1], MEMORY_GRID)[0])
        return self._settled(replace(own, said=said, source=_SOURCES[found.source], more_clamps=clamps), *mixed)

    def _settled(self, own: Estimate, cpu: int, memory: int) -> Estimate:
        """Hold small changes, and what the user asked for."""
        target = own.view.learned.slow.targets.get(own.sized.wclass.name)
        clamps = list(own.more_clamps)
        if target is not None:
            cpu = _held(target.cpu, cpu, CPU_THRESHOLD)
            memory = _held(target.memory, memory, MEMORY_THRESHOLD)
        spec = own.spec
        if spec is not None and not spec.cpu_is_ours and spec.cpu > cpu:
            cpu = spec.cpu
            clamps.append("cpu held")
        if spec is not None and not spec.memory_is_ours and spec.memory > memory:
            memory = spec.memory
            clamps.append("memory held")
        return replace(own, mixed=(cpu, memory), more_clamps=tuple(clamps))


def _words(found: Guess) -> str:
    said = f"{found.peers} similar containers" if found.peers else "size table of the class"
    return f"{said}, own data weighs {found.own_weight:.0%}" if found.own_weight else said


def _held(old: int, new: int, threshold: float) -> int:
    return old if old and abs(new - old) <= threshold * old else new
