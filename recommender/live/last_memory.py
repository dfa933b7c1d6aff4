"""Whether a container that was killed without a reason had run out of memory: by what it used last.

The reason `OOMKilled` comes from the container runtime, which learns of it beside the end of the process: on cgroup v1 the two race, and
some ends come as `Error` with exit code 137 (SIGKILL). The same is seen where a process kills its own tree after one of its children was
killed for memory. But a failed liveness probe ends the same way, once the grace period is over. What tells them apart is use: the kernel
kills at the limit, so the last measurement of that run has to be near it.

A kill that counts raises the next limit to at least 1.2 times the present one. At the same use the next kill is then at most at 1 / 1.2 =
83 % of its limit, below `NEAR`, and counts as a restart: whoever was killed for another reason while near its limit costs one bump, not a
spiral.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from recommender.sources.observation import Incident, IncidentKind, UsageSample

NEAR: Final = 0.9
"""Share of the limit. Use is measured once in 15 to 60 s, so what kills is often not seen itself."""
RECENT_S: Final = 300
"""A measurement speaks for a kill that came at most this much later."""

_Key = tuple[str, str, str]
"""Namespace, pod, container."""


class LastMemory:
    """The last measurement of memory of each container, for at least `RECENT_S` and at most twice that by the samples' own time."""

    def __init__(self) -> None:
        self._young: dict[_Key, tuple[int, float]] = {}
        self._old: dict[_Key, tuple[int, float]] = {}
        self._young_since_s = 0

    @property
    def containers(self) -> int:
        """Containers remembered; those measured in both halves count twice."""
        return len(self._young) + len(self._old)

    def note(self, samples: Iterable[UsageSample], now_s: int) -> None:
        """Remember what was measured; samples without memory say nothing. `now_s`: Unix seconds."""
        if now_s - self._young_since_s >= RECENT_S:
            self._old, self._young = self._young, {}
            self._young_since_s = now_s
        for sample in samples:
            if sample.memory == sample.memory and sample.t_s > now_s - RECENT_S:  # a number, and not of the past
                key = (sample.namespace, sample.pod, sample.container)
                known = self._young.get(key)
                if known is None or sample.t_s >= known[0]:
                    self._young[key] = (sample.t_s, sample.memory)

    def resolved(self, incident: Incident) -> Incident:
        """The incident itself, but a kill without a reason is made out: for memory, or a restart like others."""
        if incident.kind is not IncidentKind.KILLED:
            return incident
        near = self._near_limit(incident)
        return replace(incident, kind=IncidentKind.OOM_KILLED if near else IncidentKind.RESTARTED)

    def _near_limit(self, incident: Incident) -> bool:
        key = (incident.namespace, incident.pod, incident.container)
        earliest = max(incident.started_s, incident.t_s - RECENT_S)
        return any(
            earliest < t_s <= incident.t_s and memory >= NEAR * incident.memory_limit > 0
            for t_s, memory in (half[key] for half in (self._young, self._old) if key in half)
        )
