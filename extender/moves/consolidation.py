"""Which nodes could be emptied, by which moves, and what that saves (Karpenter's and descheduler's word is consolidation).

A node is emptied whole or not at all, as only then money is saved, and only into nodes in use. Cheapest disruption first: dollars an hour
saved per pod moved. Whoever says that a pod or node is to be kept is heeded, and a node that cluster-autoscaler or Karpenter is about
to remove is left to them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from extender.binpacking.bins import is_furniture
from extender.binpacking.prices import node_price
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.budgets import Budgets
from extender.moves.rearrangement import is_empty, place, with_placed, without
from stowplan.model.disruption import LEAVING_TAINTS
from stowplan.model.pod import Pod
from stowplan.model.workload_class import WorkloadClass

NEVER_MOVED: Final = frozenset({"critical"})
"""Workload classes whose pods stay: a restart costs them more than a node."""
_TRIES_PER_DRAIN: Final = 5
"""Nodes looked at for each that may be emptied: bounds the work."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be proposed."""

    drains: int = 10
    """Most nodes."""
    pods_per_node: int = 12
    """A node with more pods that have to move stays."""
    moves: int = 50
    """Most pods in all."""


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Move:
    """One pod and where it is expected to go; the scheduler decides in the end."""

    pod: Pod
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Drain:
    """One node, the moves that empty it, and its price in micro-dollars an hour, which is what they save."""

    node: str
    price: int
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could be saved."""

    drains: tuple[Drain, ...]
    empty: tuple[tuple[str, int], ...]
    """Nodes that are empty already, and their prices: for whoever removes nodes."""
    kept: Mapping[str, str]
    """Node -> why it is not to be emptied, for those in use that were looked at."""

    @property
    def saved(self) -> int:
        """Micro-dollars an hour that the moves save."""
        return sum(drain.price for drain in self.drains)


def propose(
    snapshot: Snapshot,
    pods: Iterable[Pod],
    budgets: Budgets,
    classes: Mapping[str, WorkloadClass],
    limits: Limits = DEFAULT_LIMITS,
) -> Proposal:
    """The moves that save most per pod moved, each drain possible after those before it.

    Args:
        snapshot: the cluster.
        pods: all pods that stand in it.
        budgets: what may be away.
        classes: workload classes.
        limits: see there.
    """
    standing = _by_node(pods)
    kept = {
        n: why for n, i in snapshot.nodes.items() if not is_empty(i) and (why := _kept(i, standing[n], budgets, limits))
    }
    candidates = [n for n, i in snapshot.nodes.items() if not is_empty(i) and n not in kept]
    candidates.sort(key=lambda n: (-node_price(snapshot.nodes[n].node) // max(1, len(_movable(standing[n]))), n))
    drains: list[Drain] = []
    received: set[str] = set()
    for name in candidates[: limits.drains * _TRIES_PER_DRAIN]:
        moving = _movable(standing[name])
        left = limits.moves - sum(len(drain.moves) for drain in drains)
        if len(drains) == limits.drains or name in received or len(moving) > left:
            continue
        after = _emptied(name, moving, snapshot, budgets, classes)
        if isinstance(after, str):
            kept[name] = after
            continue
        snapshot, budgets, moves = after
        received.update(move.target for move in moves)
        drains.append(Drain(name, node_price(snapshot.nodes[name].node), moves))
    empty = [(n, node_price(i.node)) for n, i in sorted(snapshot.nodes.items()) if is_empty(i) and not _spoken_for(i)]
    gone = {drain.node for drain in drains}
    return Proposal(tuple(drains), tuple(entry for entry in empty if entry[0] not in gone), kept)


def _emptied(
    name: str, moving: Sequence[Pod], snapshot: Snapshot, budgets: Budgets, classes: Mapping[str, WorkloadClass]
) -> tuple[Snapshot, Budgets, tuple[Move, ...]] | str:
    """Cluster, budgets and moves once the node is empty; or why it cannot be."""
    spent = budgets.copy()
    for pod in moving:
        refused = spent.refuses(pod)
        if refused:
            return f"{pod.namespace}/{pod.name}: {refused}"
        spent.spend(pod)
    rest = without(snapshot, moving)
    placement = place(moving, rest, classes, besides=(name,))
    if placement is None:
        return "its pods do not fit on other nodes in use"
    moves = tuple(Move(pod, name, placement[pod.uid]) for pod in moving)
    return with_placed(rest, moving, placement), spent, moves


def _kept(info: NodeInfo, pods: Sequence[Pod], budgets: Budgets, limits: Limits) -> str:
    """Why the node is not to be emptied, or an empty string."""
    spoken = _spoken_for(info)
    if spoken:
        return spoken
    moving = _movable(pods)
    if len(moving) > limits.pods_per_node:
        return f"{len(moving)} pods would have to move, more than {limits.pods_per_node}"
    for pod in moving:
        why = unmovable(pod) or budgets.refuses(pod)
        if why:
            return f"{pod.namespace}/{pod.name}: {why}"
    return ""


def _spoken_for(info: NodeInfo) -> str:
    """Who else decides about the node."""
    if info.node.kept:
        return f"annotated {info.node.kept}"
    leaving = next((taint.key for taint in info.node.taints if taint.key in LEAVING_TAINTS), "")
    if leaving:
        return f"on its way out already ({leaving})"
    return "cordoned or not ready" if info.node.unschedulable or not info.node.ready else ""


def unmovable(pod: Pod) -> str:
    """Why a pod must stay where it is, or an empty string."""
    if pod.deleting:
        return "it is ending already"
    if pod.signature.workload_class in NEVER_MOVED:
        return f"pods of class {pod.signature.workload_class} are not moved"
    if pod.signature.unplannable:
        return f"its needs are not modelled ({pod.signature.unplannable})"
    return pod.signature.pinned


def _movable(pods: Sequence[Pod]) -> list[Pod]:
    """The pods that would have to move: all but the node's furniture."""
    return [pod for pod in pods if not is_furniture(pod.signature)]


def _by_node(pods: Iterable[Pod]) -> defaultdict[str, list[Pod]]:
    standing: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: (pod.created_s, pod.uid)):
        if pod.node_name:
            standing[pod.node_name].append(pod)
    return standing
