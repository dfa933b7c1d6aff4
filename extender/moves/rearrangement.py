"""A snapshot with pods taken away or put elsewhere, and whether a few pods fit somewhere: what all moves are judged by.

Placements are made by the greedy packer and checked by the independent validator. Empty nodes are used on request only: opening one to
empty another saves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from extender.binpacking.bins import is_furniture
from extender.binpacking.first_fit_decreasing import first_fit_decreasing
from extender.binpacking.instance import build_instance
from extender.binpacking.planning import slots_by_name
from extender.binpacking.validation import validate
from extender.cluster.snapshot import NodeInfo, Snapshot
from stowplan.model.pod import Pod, PodSignature
from stowplan.model.workload_class import WorkloadClass

Placement = Mapping[str, str]
"""Pod UID -> node name."""


def place(
    pods: Sequence[Pod],
    snapshot: Snapshot,
    classes: Mapping[str, WorkloadClass],
    besides: Collection[str] = (),
    *,
    opening: bool = False,
) -> Placement | None:
    """Nodes for all the pods at once, or None where not all of them fit.

    Args:
        pods: none of them stands in the snapshot.
        snapshot: the cluster without them.
        classes: workload classes.
        besides: nodes that must not take them.
        opening: whether empty nodes may take them, too.
    """
    if any(pod.signature.unplannable for pod in pods):
        return None
    wanted = dict(Counter(pod.signature for pod in pods))
    allowed = {
        n: i if (opening or not is_empty(i)) and n not in besides else closed(i) for n, i in snapshot.nodes.items()
    }
    asked = replace(snapshot, nodes=allowed, pending=wanted, expected={})
    slots = slots_by_name(first_fit_decreasing(build_instance(asked, classes)))
    verdict = validate(asked, slots)
    if verdict.dropped or len(verdict.order) < len(pods):
        return None
    return _assigned(pods, verdict.slots())


def without(snapshot: Snapshot, pods: Iterable[Pod]) -> Snapshot:
    """The snapshot as if these pods, which stand in it, were gone."""
    return _changed(snapshot, [(pod.node_name, pod.signature, -1) for pod in pods])


def with_placed(snapshot: Snapshot, pods: Iterable[Pod], placement: Placement) -> Snapshot:
    """The snapshot as if these pods stood where they were placed."""
    return _changed(snapshot, [(placement[pod.uid], pod.signature, 1) for pod in pods])


def is_empty(info: NodeInfo) -> bool:
    """Whether nothing but furniture stands on the node."""
    return all(is_furniture(signature) for signature in info.residents)


def closed(info: NodeInfo) -> NodeInfo:
    """The node as one that takes no pod, but whose pods still count for spread and affinity."""
    return replace(info, node=replace(info.node, unschedulable=True))


def _assigned(pods: Sequence[Pod], slots: Mapping[PodSignature, Mapping[str, int]]) -> Placement:
    free = {signature: [name for name, n in nodes.items() for _ in range(n)] for signature, nodes in slots.items()}
    return {pod.uid: free[pod.signature].pop(0) for pod in pods}


def _changed(snapshot: Snapshot, changes: Iterable[tuple[str, PodSignature, int]]) -> Snapshot:
    nodes = dict(snapshot.nodes)
    for name, signature, sign in changes:
        info = nodes[name]
        used = Counter(info.used)
        for resource, amount in signature.requests:
            used[resource] += sign * amount
        residents = Counter(info.residents)
        residents[signature] += sign
        nodes[name] = NodeInfo(info.node, dict(used), {s: n for s, n in residents.items() if n > 0})
    return replace(snapshot, nodes=nodes)
