"""The last decisions, for people: why is this pod on that node."""

from __future__ import annotations

import msgspec

from extender.deciding.candidates import Option
from extender.deciding.outcomes import Outcome

REMEMBERED = 5_000
"""Decisions kept: at about 1 kB each a few megabytes."""


class Decision(msgspec.Struct, frozen=True):
    """One answered call and the numbers it rested on. Money is micro-dollars an hour."""

    uid: str
    namespace: str
    name: str
    verb: str
    at_s: int
    """Unix seconds."""
    outcome: Outcome
    node: str
    """Where the pod was expected to go; empty where the scheduler was left alone."""
    offered: int
    """Nodes that the scheduler offered."""
    kept: int
    """Nodes that were named to it."""
    options: tuple[Option, ...]
    plan_generation: int
    plan_source: str
    plan_cost: int
    plan_bound: int
    plan_solve_ms: int = 0


class DecisionLog:
    """Bounded memory of decisions by pod UID and by name. The last one that named a node wins over later abstentions."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._by_uid: dict[str, Decision] = {}
        self._uids: dict[tuple[str, str], str] = {}

    def __len__(self) -> int:
        return len(self._by_uid)

    def record(self, decision: Decision) -> None:
        """Remember it."""
        known = self._by_uid.pop(decision.uid, None)
        keep = known if known is not None and known.node and not decision.node else decision
        self._by_uid[decision.uid] = keep
        self._uids[decision.namespace, decision.name] = decision.uid
        while len(self._by_uid) > self._limit:
            self._forget(next(iter(self._by_uid.values())))

    def by_uid(self, uid: str) -> Decision | None:
        """The decision for this pod UID."""
        return self._by_uid.get(uid)

    def by_name(self, namespace: str, name: str) -> Decision | None:
        """The decision for the pod of this name that was asked about last."""
        return self._by_uid.get(self._uids.get((namespace, name), ""))

    def _forget(self, decision: Decision) -> None:
        del self._by_uid[decision.uid]
        key = decision.namespace, decision.name
        if self._uids.get(key) == decision.uid:
            del self._uids[key]
