"""What is left of a plan: its slots less the pods bound since its snapshot, less the reservations."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from extender.deciding.reservations import Reservations
from extender.plan import EMPTY_PLAN, Plan
from stowplan.model.pod import PodSignature

REMEMBERED: Final = 50_000
"""Bindings kept for the next plan: more than a cluster binds while a plan is made."""

_Slot = tuple[PodSignature, str]


class SlotLedger:
    """Counts slots by signature and node; a plan names the cache's generation it was made from.

    Args:
        reservations: what is answered for but not bound yet; it takes slots provisionally.
        remembered: bindings kept to be subtracted from later plans.
    """

    def __init__(self, reservations: Reservations, remembered: int = REMEMBERED) -> None:
        self.plan: Plan = EMPTY_PLAN
        self._reservations = reservations
        self._bindings: deque[tuple[int, _Slot]] = deque(maxlen=remembered)
        self._consumed: dict[_Slot, int] = {}

    def use(self, plan: Plan) -> None:
        """Count by this plan from now on. Pods bound after its snapshot have used up slots that it still shows."""
        if plan is self.plan:
            return
        self.plan = plan
        self._consumed = {}
        for generation, slot in self._bindings:
            if generation > plan.generation:
                self._consumed[slot] = self._consumed.get(slot, 0) + 1

    def bound(self, signature: PodSignature, node: str, generation: int) -> None:
        """A pod of this signature was seen on the node for the first time, by the event that led to `generation`."""
        slot = (signature, node)
        self._bindings.append((generation, slot))
        if generation > self.plan.generation:
            self._consumed[slot] = self._consumed.get(slot, 0) + 1

    def left(self, signature: PodSignature, node: str, besides: str = "") -> int:
        """Slots left for this signature on the node; the reservation of the pod `besides` does not count."""
        planned = self.plan.slots.get(signature, {}).get(node, 0)
        if planned == 0:
            return 0
        consumed = self._consumed.get((signature, node), 0)
        return max(0, planned - consumed - self._reservations.held(signature, node, besides))

    def nodes(self, signature: PodSignature, besides: str = "") -> Iterator[str]:
        """Nodes with slots left for this signature, in the plan's order of preference."""
        for node in self.plan.slots.get(signature, ()):
            if self.left(signature, node, besides):
                yield node
