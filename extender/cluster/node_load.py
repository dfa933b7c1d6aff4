"""How loaded nodes are, from measurements: windows, bands, and what has come since.

Bands are coarse on purpose: a planner that sees every permille replans for noise, and equal nodes stop being equal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stowplan.model.resources import Amounts

PERMILLE: Final = 1000
BAND: Final = 50
"""Permille of CPU; loads are rounded up to it."""
_SAMPLES: Final = 10
"""Of which the largest counts: at a sample every 30 s the peak of five minutes, which stands for the 95th percentile."""
_HYSTERESIS: Final = 25
"""Permille below a band from which the load is believed to have left it."""


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """The measured load of one node."""

    permille: int
    """Of its allocatable CPU, rounded up to a band; may exceed 1000."""
    requested: int
    """Millicores requested on it when that was measured."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one node."""

    cpu: int
    """Millicores in use, of which pods waited for more where the kernel says so (pressure is added as use)."""
    capacity: int
    """Allocatable millicores."""
    requested: int


def busy_cpu(used: Amounts, capacity: int, load: NodeLoad | None) -> int:
    """Millicores by which a node is loaded: as measured, and as requested by what came since; without a measurement as requested."""
    requested = used.get("cpu", 0)
    if load is None:
        return requested
    return load.permille * capacity // PERMILLE + max(0, requested - load.requested)


class LoadWindows:
    """The last measurements of every node, and the bands that follow."""

    def __init__(self) -> None:
        self._windows: dict[str, deque[int]] = {}
        self._loads: dict[str, NodeLoad] = {}

    def add(self, samples: Mapping[str, Sample]) -> dict[str, NodeLoad]:
        """Take in one round of measurements; the loads now, of the nodes in it. Nodes without a measurement are forgotten."""
        for gone in self._windows.keys() - samples.keys():
            del self._windows[gone]
            self._loads.pop(gone, None)
        for name, sample in samples.items():
            if sample.capacity <= 0:
                continue
            window = self._windows.setdefault(name, deque(maxlen=_SAMPLES))
            window.append(sample.cpu * PERMILLE // sample.capacity)
            known = self._loads.get(name)
            self._loads[name] = NodeLoad(_band(max(window), known.permille if known else 0), sample.requested)
        return dict(self._loads)

    def clear(self) -> None:
        """Forget all: nothing is measured any more."""
        self._windows.clear()
        self._loads.clear()


def _band(permille: int, before: int) -> int:
    """The band of a load; one that was in force stays so until the load has left it clearly."""
    band = -(-permille // BAND) * BAND
    return before if band < before <= permille + BAND + _HYSTERESIS else band
