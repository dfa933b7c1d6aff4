"""What the sources of usage deliver: samples of containers and what befell them. Measurements are floats, times Unix seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class UsageSample:
    """One measurement of one container of one pod."""

    namespace: str
    pod: str
    container: str
    t_s: int
    """End of the time that it stands for."""
    window_s: int
    """Length of the time that it stands for."""
    cpu: float
    """Mean millicores used in the window."""
    memory: float
    """Working set in bytes; NaN where unknown."""
    throttled: float = float("nan")
    """Share (0..1) of the window's CFS periods in which the container was throttled; NaN where unknown."""


class IncidentKind(StrEnum):
    """What befell a container."""

    OOM_KILLED = "OOMKilled"
    EVICTED = "Evicted"
    """By the kubelet, for memory."""
    RESTARTED = "Restarted"
    """It ended with an error and was started again, for another reason than memory."""
    KILLED = "Killed"
    """As `RESTARTED`, by SIGKILL, which nobody gave a reason for: perhaps for memory (`recommender.live.last_memory`)."""

    @property
    def for_memory(self) -> bool:
        """Whether the container certainly lacked memory."""
        return self in (IncidentKind.OOM_KILLED, IncidentKind.EVICTED)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something bad that happened to a container, once."""

    kind: IncidentKind
    namespace: str
    pod: str
    pod_uid: str
    container: str
    t_s: int
    memory_limit: int
    """Bytes that it had to do with: its limit, else its request, or what it used when it was evicted; 0 where unknown."""
    started_s: int = 0
    """Unix seconds of the start of the run that ended so; 0 where unknown."""


class UsageSource(Protocol):
    """Where samples come from. Errors are the source's: it counts them, waits, and goes on; it never raises for a bad sample."""

    name: str

    async def poll(self) -> Sequence[UsageSample]:
        """The samples that are new since the last call, in any order; empty where there are none or the source is not there now."""

    def back_fill(self, since_s: int, until_s: int) -> AsyncIterator[Sequence[UsageSample]]:
        """Samples of the past, the oldest first, in batches of bounded size; nothing where the source has no past."""
