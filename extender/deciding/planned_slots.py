"""The plan's slots for whoever acts on a pod before the scheduler asks about it: nominations, and the release of gates."""

from __future__ import annotations

from extender.deciding.candidates import View, evaluate, planned
from extender.plan import Plan
from stowplan.model.pod import Pod


class PlannedSlots:
    """Takes slots of one view; room is held for every pod that gets one."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def plan(self) -> Plan:
        """The plan whose slots these are."""
        return self._view.plan

    def target(self, pod: Pod) -> str:
        """The first node with a slot and room, held from now on; empty where there is none."""
        found = planned(pod, self._view.snapshot.nodes, self._view, 1).options
        if not found:
            return ""
        self._view.reservations.take(pod.uid, pod.signature, found[0].node)
        return found[0].node

    def holds(self, pod: Pod, node: str) -> bool:
        """Whether the slot is still there and has room; held for another while if so."""
        left = self._view.ledger.left(pod.signature, node, besides=pod.uid)
        if not left or evaluate(pod, dict(pod.signature.requests), node, self._view, planned=True) is None:
            self._view.reservations.release(pod.uid)
            return False
        self._view.reservations.take(pod.uid, pod.signature, node)
        return True

    def give_back(self, pod: Pod) -> None:
        """The pod does not go there yet."""
        self._view.reservations.release(pod.uid)
