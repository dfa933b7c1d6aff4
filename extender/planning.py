"""What the server needs of a planner, and the one that never plans."""

from __future__ import annotations

from typing import Protocol

from extender.plan import EMPTY_PLAN, Plan


class Planner(Protocol):
    """A source of plans that follows the cache. No call blocks or raises."""

    @property
    def current(self) -> Plan:
        """The plan of now."""

    def send(self, method: str, *args: object) -> object:
        """Hand on an event of the cache: the name of a `Cache` method and its arguments."""

    async def start(self) -> None:
        """Begin to plan."""

    async def stop(self) -> None:
        """End; nothing is left running."""


class NoPlanner:
    """Plans nothing: every decision is greedy."""

    @property
    def current(self) -> Plan:
        """The empty plan."""
        return EMPTY_PLAN

    def send(self, method: str, *args: object) -> object:
        """Nobody is interested."""

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""
