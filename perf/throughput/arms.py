"""What is compared: one kube-scheduler configuration each, with or without an extender beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from extender.scheduler_config import Channel

ALL: Final = 100
SAMPLED: Final = 0
"""kube-scheduler's own choice of how many nodes to look at: 46 % of 500, 42 % of 1,000, 10 % of 5,000."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to schedule."""

    name: str
    percentage: int
    """`percentageOfNodesToScore`; 0 samples."""
    channel: Channel = "off"
    """`off`: a scheduler without an extender."""
    flags: tuple[str, ...] = ()
    """Of the extender, beyond the channel."""
    gated: bool = False
    """Whether pods are created behind the scheduling gate that the extender takes away."""
    trivial: bool = False
    """Whether the extender is `perf.trivial_extender`, which decides nothing: what it loses is the price of the call."""

    @property
    def baseline(self) -> str:
        """The arm without an extender at the same setting."""
        return "stock" if self.percentage == SAMPLED else "stock-all"

    @property
    def has_extender(self) -> bool:
        """Whether an extender runs."""
        return self.channel != "off"


_NOMINATE: Final = ("--nominate=true", "--nominations-per-second=500")
"""With the prioritize verb beside it: a nominated pod then costs no call, and one that is not is scored."""

_GATES: Final = ("--gates=true",)

ARMS: Final = {
    arm.name: arm
    for arm in (
        Arm("stock", SAMPLED),
        Arm("stock-all", ALL),
        Arm("narrow", SAMPLED, "narrow"),
        Arm("narrow-all", ALL, "narrow"),
        Arm("prioritize", SAMPLED, "prioritize"),
        Arm("prioritize-all", ALL, "prioritize"),
        Arm("both", SAMPLED, "both"),
        Arm("both-all", ALL, "both"),
        Arm("nominate", SAMPLED, "prioritize", _NOMINATE),
        Arm("nominate-all", ALL, "prioritize", _NOMINATE),
        Arm("gates", SAMPLED, "narrow", _GATES, gated=True),
        Arm("gates-all", ALL, "narrow", _GATES, gated=True),
        Arm("gates-2s", SAMPLED, "narrow", (*_GATES, "--gate-seconds=2"), gated=True),
        Arm("trivial", SAMPLED, "narrow", trivial=True),
        Arm("trivial-all", ALL, "narrow", trivial=True),
        Arm("greedy", SAMPLED, "narrow", ("--planner=false",)),
        Arm("greedy-all", ALL, "narrow", ("--planner=false",)),
    )
}
DEFAULT: Final = ("stock", "narrow", "stock-all", "narrow-all")
CHANNELS: Final = ("stock", "narrow", "prioritize", "both", "nominate", "gates")
"""Every way in which a plan reaches the scheduler, and the scheduler alone."""


@dataclass(frozen=True, slots=True)
class Load:
    """What all arms are given in turn."""

    pods: int
    rounds: int
    arms: Sequence[Arm]
    backlog: bool = True
    """Whether the pods wait when the scheduler begins, or come while it runs."""

    @property
    def bursts(self) -> int:
        """How often pods are placed in all."""
        return self.rounds * len(self.arms)


def arms_named(names: str) -> list[Arm]:
    """The arms of a comma-separated list, with the baselines that they are compared with.

    Raises:
        ValueError: a name is unknown.
    """
    chosen: dict[str, Arm] = {}
    for name in (part.strip() for part in names.split(",")):
        if name not in ARMS:
            raise ValueError(f"arm {name!r} is unknown; choose from {', '.join(ARMS)}")
        chosen.setdefault(ARMS[name].baseline, ARMS[ARMS[name].baseline])
        chosen[name] = ARMS[name]
    return list(chosen.values())
