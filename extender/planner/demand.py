"""What to plan for: the pods that wait, and with them those that are expected."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from extender.cluster.snapshot import Snapshot
from extender.plan import Plan

Publish = Callable[[Plan], None]
MakePlan = Callable[[Snapshot, Publish], Plan]
"""Plans the pending pods of a snapshot; hands an early plan to the function, which may raise."""


class _InTheWayError(Exception):
    """Pods that exist would go without a slot for pods that do not."""


def plan_demand(snapshot: Snapshot, make: MakePlan, greedy: Callable[[Snapshot], Plan], publish: Publish) -> Plan:
    """A plan for waiting and expected pods together, or for the waiting ones alone where those would fare better so.

    Together, because pods of one signature are interchangeable: the slots of a burst should not depend on how much of it exists already.

    Args:
        snapshot: the cluster.
        make: makes the plan.
        greedy: makes one quickly, to compare with; called at most once, and only where the plan leaves waiting pods out.
        publish: gets an early plan.
    """
    if not snapshot.expected:
        return make(snapshot, publish)

    @functools.cache
    def left_out_anyway() -> int:
        return _unplaced(greedy(snapshot))

    def checked(plan: Plan) -> Plan:
        plan = of_waiting(plan, snapshot)
        left_out = _unplaced(plan)
        if left_out and left_out > left_out_anyway():
            raise _InTheWayError
        return plan

    try:
        return checked(make(together(snapshot), lambda early: publish(checked(early))))
    except _InTheWayError:
        return make(snapshot, publish)


def together(snapshot: Snapshot) -> Snapshot:
    """The snapshot as if the expected pods were waiting."""
    merged = dict(snapshot.pending)
    for signature, count in snapshot.expected.items():
        merged[signature] = merged.get(signature, 0) + count
    return dataclasses.replace(snapshot, pending=merged, expected={})


def of_waiting(plan: Plan, snapshot: Snapshot) -> Plan:
    """The plan, calling unplaced only pods that exist: those come first to the slots of their signature."""
    unplaced = []
    for entry in plan.unplaced:
        count = entry.count - snapshot.expected.get(entry.signature, 0)
        if count > 0:
            unplaced.append(dataclasses.replace(entry, count=count))
    return dataclasses.replace(plan, unplaced=tuple(unplaced))


def _unplaced(plan: Plan) -> int:
    return sum(entry.count for entry in plan.unplaced)
