"""Pods that fit nowhere although a rearrangement would make room: which few pods would have to move, and where they fit.

A small search, exact up to its bounds: on the nodes where least is missing, sets of one, two, three residents whose going makes room, in
that order; the first set whose pods all fit elsewhere is the answer. Each answer has passed the independent validator twice: the waiting
pod on the node without the set, and the set on other nodes with the waiting pod in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from extender.binpacking.bins import is_furniture
from extender.binpacking.eligibility import Eligibility
from extender.binpacking.validation import validate
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.consolidation import unmovable
from extender.moves.rearrangement import place, with_placed, without
from extender.plan import Rescue
from stowplan.model.pod import Pod, PodSignature
from stowplan.model.workload_class import WorkloadClass

MOST_MOVES: Final = 3
_NODES: Final = 8
"""Nodes on which a rearrangement is looked for."""
_RESIDENTS: Final = 12
"""Residents of a node that are thought of, the smallest that help first."""
_TRIES: Final = 24
"""Placements tried in all, in a small cluster."""
_NODE_TRIES: Final = 12_000
"""Placements tried times nodes: each costs as much as a small plan, and plans wait meanwhile. At 5,000 nodes two are tried."""


def rescue(
    signature: PodSignature,
    snapshot: Snapshot,
    pods_on: Callable[[Collection[str]], Iterable[Pod]],
    classes: Mapping[str, WorkloadClass],
) -> Rescue | None:
    """The rearrangement of fewest pods that makes room for one more pod of the signature, or None where none was found.

    Args:
        signature: of a pod that fits nowhere now.
        snapshot: the cluster.
        pods_on: gives the pods that stand on some of its nodes.
        classes: workload classes.
    """
    if signature.unplannable:
        return None
    nodes = _nearest(signature, snapshot)
    names = frozenset(info.node.name for info in nodes)
    by_node = _with_pods(nodes, pods_on(names))
    standing = {info.node.name: _candidates(signature, info, pods_of) for info, pods_of in by_node}
    left = min(_TRIES, max(1, _NODE_TRIES // max(1, len(snapshot.nodes))))
    for size in range(1, MOST_MOVES + 1):
        for info in nodes:
            for chosen in _sets(signature, info, standing[info.node.name], size):
                if not left:
                    return None
                left -= 1
                found = _rearranged(signature, info.node.name, chosen, snapshot, classes)
                if found is not None:
                    return found
    return None


def _rearranged(
    signature: PodSignature, node: str, chosen: Sequence[Pod], snapshot: Snapshot, classes: Mapping[str, WorkloadClass]
) -> Rescue | None:
    rest = without(snapshot, chosen)
    if not validate(replace(rest, pending={signature: 1}, expected={}), {signature: {node: 1}}).order:
        return None
    waiting = Pod("", signature.namespace, "", signature)
    placed = with_placed(rest, [waiting], {"": node})
    placement = place(chosen, placed, classes, besides=(node,), opening=True)
    if placement is None:
        return None
    return Rescue(signature, node, tuple((pod, placement[pod.uid]) for pod in chosen))


def _nearest(signature: PodSignature, snapshot: Snapshot) -> list[NodeInfo]:
    """Nodes that nothing static forbids and that are large enough, those that lack the smallest share of what is asked first."""
    infos = list(snapshot.nodes.values())
    verdicts = Eligibility([signature]).verdicts(signature, [info.node for info in infos])
    able = [
        info
        for info, verdict in zip(infos, verdicts, strict=True)
        if verdict is None and _large_enough(signature, info)
    ]
    return sorted(able, key=lambda info: (_missing(signature, info), info.node.name))[:_NODES]


def _large_enough(signature: PodSignature, info: NodeInfo) -> bool:
    return all(amount <= info.node.allocatable.get(resource, 0) for resource, amount in signature.requests)


def _missing(signature: PodSignature, info: NodeInfo, besides: Iterable[Pod] = ()) -> int:
    """Thousandths of what is asked that the node lacks without some of its pods, summed over the resources; 0 where it fits."""
    gone: dict[str, int] = {}
    for pod in besides:
        for resource, amount in pod.signature.requests:
            gone[resource] = gone.get(resource, 0) + amount
    total = 0
    for resource, amount in signature.requests:
        used = info.used.get(resource, 0) - gone.get(resource, 0)
        short = used + amount - info.node.allocatable.get(resource, 0)
        total += max(0, short) * 1000 // max(1, amount)
    return total


def _with_pods(nodes: Sequence[NodeInfo], pods: Iterable[Pod]) -> Iterator[tuple[NodeInfo, list[Pod]]]:
    by_node: dict[str, list[Pod]] = {info.node.name: [] for info in nodes}
    for pod in pods:
        by_node[pod.node_name].append(pod)
    for info in nodes:
        yield info, by_node[info.node.name]


def _candidates(signature: PodSignature, info: NodeInfo, pods: Iterable[Pod]) -> list[Pod]:
    """Residents that may be moved for the pod: none that is more important, those whose going leaves least missing first."""
    movable = [
        pod
        for pod in pods
        if not is_furniture(pod.signature) and not unmovable(pod) and pod.signature.priority <= signature.priority
    ]
    movable.sort(
        key=lambda pod: (_missing(signature, info, [pod]), dict(pod.signature.requests).get("cpu", 0), pod.uid)
    )
    return movable[:_RESIDENTS]


def _sets(signature: PodSignature, info: NodeInfo, candidates: Sequence[Pod], size: int) -> Iterator[Sequence[Pod]]:
    """Sets of residents of one size whose going makes room; of pods that look alike one set stands for all."""
    seen: set[tuple[PodSignature, ...]] = set()
    for chosen in combinations(candidates, size):
        kinds = tuple(pod.signature for pod in chosen)
        if kinds not in seen and _missing(signature, info, chosen) == 0:
            seen.add(kinds)
            yield chosen
