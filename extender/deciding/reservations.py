"""Pods that have been answered for but not yet been seen on a node.

A watch event lags the scheduler's decision by tens of milliseconds; until it comes, the room answered for is held, so that the next
pod is not sent to the same place. Every answer is speculative: a reservation ends by event, by a newer answer, or by its TTL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stowplan.model.pod import PodSignature

TTL_SECONDS: Final = 5.0
"""Longer than a binding takes, short enough that a failed one does not keep room empty for long."""

_NOTHING: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room held for one pod until `expires` (the clock's seconds)."""

    uid: str
    signature: PodSignature
    node: str
    expires: float


class Reservations:
    """At most one reservation per pod UID.

    Args:
        clock: monotonic seconds.
        ttl: seconds until room answered for is given back.
    """

    def __init__(self, clock: Callable[[], float], ttl: float = TTL_SECONDS) -> None:
        self.expired = 0
        """Reservations that ended by TTL: bindings that failed, or a watch that lags."""
        self._clock = clock
        self._ttl = ttl
        self._by_uid: dict[str, Reservation] = {}  # in the order of expiry
        self._by_node: dict[str, dict[str, Reservation]] = {}
        self._used: dict[str, Mapping[str, int]] = {}
        """By node. Replaced when it changes, never changed, as readers keep it."""
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._by_uid)

    def take(self, uid: str, signature: PodSignature, node: str) -> None:
        """Hold room for the pod on the node; replaces what was held for it."""
        self.release(uid)
        reservation = Reservation(uid, signature, node, self._clock() + self._ttl)
        self._by_uid[uid] = reservation
        self._by_node.setdefault(node, {})[uid] = reservation
        self._count(reservation, 1)

    def release(self, uid: str) -> None:
        """Give back what is held for the pod: it was seen on a node, or is gone. Unknown ones are ignored."""
        reservation = self._by_uid.pop(uid, None)
        if reservation is None:
            return
        held = self._by_node[reservation.node]
        del held[uid]
        self._count(reservation, -1)
        if not held:
            del self._by_node[reservation.node], self._used[reservation.node]

    def expire(self) -> None:
        """Give back what was held for too long. Costs only as much as there is to give back."""
        now = self._clock()
        while self._by_uid:
            oldest = next(iter(self._by_uid.values()))
            if oldest.expires > now:
                return
            self.release(oldest.uid)
            self.expired += 1

    def used(self, node: str, besides: str = "") -> Mapping[str, int]:
        """Requests held on the node, without those of the pod `besides` (its own reservation is not in its way)."""
        total = self._used.get(node, _NOTHING)
        own = self._by_uid.get(besides)
        if own is None or own.node != node:
            return total
        if len(self._by_node[node]) == 1:
            return _NOTHING
        return {**total, **{r: total[r] - amount for r, amount in own.signature.requests}}

    def pods(self, node: str) -> tuple[PodSignature, ...]:
        """For whom room is held on the node."""
        return tuple(reservation.signature for reservation in self._by_node.get(node, {}).values())

    def changed_nodes(self) -> set[str]:
        """Nodes on which what is held has changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def held(self, signature: PodSignature, node: str, besides: str = "") -> int:
        """Reservations of this signature on the node, without the one of the pod `besides`."""
        here = self._by_node.get(node, {})
        return sum(
            uid != besides and (r.signature is signature or r.signature == signature)  # nearly always the one object
            for uid, r in here.items()
        )

    def _count(self, reservation: Reservation, sign: int) -> None:
        used = dict(self._used.get(reservation.node, _NOTHING))
        for resource, amount in reservation.signature.requests:
            used[resource] = used.get(resource, 0) + sign * amount
        self._used[reservation.node] = used
        self._changed.add(reservation.node)
