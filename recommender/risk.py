"""The risk that a class declares, the knob that moves it, and the controller that keeps what is achieved within what is declared.

Declared: overrun share (of time), unmet demand (of use) and breach days (of days), each as a long-run share per container. The controller
is adaptive conformal inference in logarithms (Gibbs & Candes, Adaptive Conformal Inference Under Distribution Shift, NeurIPS 2021): a day
worse than declared tightens the container's level, a better day relaxes it a little, so that the long-run average keeps within the
declaration whatever the drift, as long as the level is not at its tight end: with gains t and r < t the log of the level is bounded, hence
t x (mean excess) <= r x (mean shortfall) in the long run, and the mean error is at most 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from stowplan.model.workload_class import Cost, WorkloadClass


@dataclass(frozen=True, slots=True)
class Risk:
    """Shares 0..1 that a container's long-run average keeps within."""

    overrun: float
    """Share of time with use above the request."""
    unmet: float
    """Use above the request, as a share of use."""
    breach: float
    """Share of days on which memory exceeds the limit."""

    def scaled(self, factor: float) -> Risk:
        """All three times a factor, at most 0.9."""
        return Risk(*(min(0.9, share * factor) for share in (self.overrun, self.unmet, self.breach)))


START_LEVELS: Final = {
    "critical": (0.01, 0.1),
    "standard": (0.03, 1.0),
    "elastic": (0.1, 1.0),
    "batch": (0.3, 1.0),
    "dev": (0.3, 1.0),
}
"""Levels (CPU, memory) at which a container starts: the loosest tried with which, on Bitbrains, days 15 to 44, the share of containers
that keep within exceeds the target of 90 % by two standard errors (3.8 points). For CPU in each half of these days too (the second is a
later regime than the one started in), and in each of five stretches of 9 days learned and 7 judged."""
FIRST_BREACHES: Final = 0.05
"""No container starts with more predicted breach days, even where its class declares more. After one judged day a container is within the
declared share only if that day was none, and the target is 90 % of a fleet. At a tenth a fleet would have exactly 90 % within on average,
and ten containers would miss it (two or more of them) with a probability of 26 %: a coin's throw. At a twentieth ten containers meet it
with 91 %, twenty, thirty and more with more (fewer than ten have to be within all of them, which nothing can promise)."""
_BY_TIER: Final = ("critical", "standard", "elastic", "batch")
_KNOB: Final = {Cost.SAVE: 2.0, Cost.BALANCED: 1.0, Cost.SAFE: 0.5}


def declared(of: WorkloadClass, cost: Cost | None = None) -> Risk:
    """What a class declares. `cost` overrides the class's own place on the frontier: from one setting to the next the risk doubles."""
    base = Risk(of.risk.overrun_percent / 100, of.risk.unmet_percent / 100, of.risk.breach_percent / 100)
    return base if cost is None else base.scaled(_KNOB[cost] / _KNOB[of.cost])


def start_levels(of: WorkloadClass, cost: Cost | None = None) -> tuple[float, float]:
    """Levels (CPU, memory) of a container that has not been judged yet; of a class of one's own, as its tier's built-in one."""
    cpu, memory = START_LEVELS[_builtin(of)]
    return cpu, min(memory, FIRST_BREACHES / max(declared(of, cost).breach, FIRST_BREACHES))


def _builtin(of: WorkloadClass) -> str:
    return of.name if of.name in START_LEVELS else _BY_TIER[min(of.tier, len(_BY_TIER) - 1)]


CPU_TIGHTEN: Final = 0.25
CPU_RELAX: Final = 0.12
CPU_WORST: Final = 30.0
MEMORY_TIGHTEN: Final = 1.0
MEMORY_RELAX: Final = 0.5
"""Gains after a day worse, and after one better than declared: care is learned faster than it is forgotten (chosen on the same days)."""
LEVEL_MIN: Final = 0.002
LEVEL_MAX: Final = 1.0


@dataclass
class Levels:
    """Factor by container on the declared risk at which the forecast is read: 1 trusts the forecast, less is more careful."""

    cpu: Floats
    memory: Floats

    @classmethod
    def start(cls, containers: int, cpu: float, memory: float) -> Levels:
        """The same level for all."""
        return cls(np.full(containers, cpu), np.full(containers, memory))

    def learn_cpu(self, risk: Risk, overrun: Floats, unmet: Floats) -> None:
        """One day's overrun share and unmet demand (share of usual use) by container; NaN where nothing was judged."""
        error = np.clip(np.maximum(overrun / risk.overrun, unmet / risk.unmet) - 1.0, -1.0, CPU_WORST)
        self.cpu = _moved(self.cpu, np.nan_to_num(error), CPU_TIGHTEN, CPU_RELAX)

    def learn_memory(self, risk: Risk, judged: NDArray[np.bool_], breached: NDArray[np.bool_]) -> None:
        """Whether the day was a breach day, by container."""
        self.memory = _moved(self.memory, np.where(judged, breached - risk.breach, 0.0), MEMORY_TIGHTEN, MEMORY_RELAX)


def _moved(level: Floats, error: Floats, tighten: float, relax: float) -> Floats:
    return np.clip(level * np.exp(-np.where(error > 0, tighten, relax) * error), LEVEL_MIN, LEVEL_MAX)


def carefulness(level: Floats) -> Floats:
    """How much of the class's margin is added for what was never seen: 0 at level 1, all of it from level 0.05 down."""
    return np.asarray(np.clip(np.log(level) / np.log(0.05), 0.0, 1.0), dtype=np.float64)
