"""Whether a plan still says it all: a burst that is carried out as planned needs no new plan with every binding."""

from __future__ import annotations

from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.plan import Plan


def covers(plan: Plan, then: Snapshot, now: Snapshot, ahead: int | None = None) -> bool:
    """Whether the pods that wait or are expected have slots in what is left of a plan, and every such slot has room.

    Args:
        plan: what is left of it (`extender.planner.mirror.still_to_come`).
        then: the cluster that it was made from.
        now: the cluster.
        ahead: of each signature only so many pods need a slot, those that come next; all of them where it is None.
    """
    return _same_nodes(then, now) and _all_have_slots(plan, now, ahead) and _slots_have_room(plan, now)


def _same_nodes(then: Snapshot, now: Snapshot) -> bool:
    if then.nodes is now.nodes:
        return True
    if then.nodes.keys() != now.nodes.keys():
        return False
    return all(info.node is now.nodes[name].node for name, info in then.nodes.items())


def _all_have_slots(plan: Plan, now: Snapshot, ahead: int | None) -> bool:
    wanted = dict(now.pending)
    for signature, count in now.expected.items():
        wanted[signature] = wanted.get(signature, 0) + count
    return all(
        signature.unplannable
        or sum(plan.slots.get(signature, {}).values()) >= (count if ahead is None else min(count, ahead))
        for signature, count in wanted.items()
    )


def _slots_have_room(plan: Plan, now: Snapshot) -> bool:
    """Whether the requests of all slots fit at once; rules between pods were met when the plan was made, and it is being carried out."""
    asked: dict[str, dict[str, int]] = {}
    for signature, nodes in plan.slots.items():
        for name, count in nodes.items():
            on_node = asked.setdefault(name, {})
            for resource, amount in signature.requests:
                on_node[resource] = on_node.get(resource, 0) + amount * count
    return all(_fits(now.nodes[name], amounts) for name, amounts in asked.items())


def _fits(info: NodeInfo, asked: dict[str, int]) -> bool:
    return all(
        amount <= 0 or info.used.get(resource, 0) + amount <= info.node.allocatable.get(resource, 0)
        for resource, amount in asked.items()
    )
