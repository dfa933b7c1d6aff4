"""Which nodes could be emptied, by which moves, and what that saves (Karpenter's and descheduler's word is consolidation).

The decision is `extender.moves.emptying`, which the simulator replays. This module says which nodes of a live cluster it may choose from,
and by which rules pods fit. Whoever says that a pod or node is to be kept is heeded, a node that cluster-autoscaler or Karpenter is about
to remove is left to them, and every drain has passed the independent validator.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from extender.binpacking.bins import is_furniture
from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import build_instance
from extender.binpacking.planning import slots_by_name
from extender.binpacking.prices import node_price
from extender.binpacking.validation import validate
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.budgets import Budgets
from extender.moves.emptying import DEFAULT_LIMITS, Candidate, Decision, Emptied, Kept, Limits, decide
from extender.moves.rearrangement import closed, is_empty, with_placed, without
from extender.moves.room import LOOK_AHEAD_S, Ints, Mover, Nodes
from stowplan.model.disruption import LEAVING_TAINTS
from stowplan.model.pod import Pod
from stowplan.model.workload_class import WorkloadClass

NEVER_MOVED: Final = frozenset({"critical"})
"""Workload classes whose pods stay: a restart costs them more than a node."""


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
    seconds_left: float | None = None
    """For how long its pods are expected to keep it in use otherwise; None where nothing was learned."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could be saved."""

    drains: tuple[Drain, ...]
    empty: tuple[tuple[str, int], ...]
    """Nodes that are empty already, and their prices: for whoever removes nodes."""
    kept: Mapping[str, str]
    """Node -> why it is not to be emptied, for those in use that were looked at."""
    learned: bool = False
    """Whether it was known for how long pods keep nodes in use, which decides the order."""

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
    seconds_left: Mapping[str, float] | None = None,
) -> Proposal:
    """The moves that save most per pod moved, each drain possible after those before it.

    Args:
        snapshot: the cluster.
        pods: all pods that stand in it.
        budgets: what may be away.
        classes: workload classes.
        limits: see there.
        seconds_left: for how long nodes are expected to be kept in use by their pods, as learned; None where nothing was.
    """
    names, standing = sorted(snapshot.nodes), _by_node(pods)
    in_use = [name for name in names if not is_empty(snapshot.nodes[name])]
    kept = {n: why for n in in_use if (why := _kept(snapshot.nodes[n], standing[n], seconds_left))}
    rows = {name: row for row, name in enumerate(names)}
    candidates = [Candidate(rows[n], tuple(map(_mover, _movable(standing[n])))) for n in in_use if n not in kept]
    rules = _Rules(snapshot, names, classes)
    decision = decide(_numbers(snapshot, names, seconds_left), candidates, rules, budgets, limits)
    return _proposal(snapshot, names, decision, kept, seconds_left)


def _proposal(
    snapshot: Snapshot,
    names: Sequence[str],
    decision: Decision[Pod],
    kept: Mapping[str, str],
    seconds_left: Mapping[str, float] | None,
) -> Proposal:
    def drain(emptied: Emptied[Pod]) -> Drain:
        name = names[emptied.row]
        moves = tuple(Move(pod, name, names[target]) for pod, target in emptied.moves)
        left = None if seconds_left is None else seconds_left[name]
        return Drain(name, node_price(snapshot.nodes[name].node), moves, left)

    infos = sorted(snapshot.nodes.items())
    return Proposal(
        drains=tuple(map(drain, decision.emptied)),
        empty=tuple((n, node_price(i.node)) for n, i in infos if is_empty(i) and not _spoken_for(i)),
        kept={**kept, **{names[row]: _in_words(why) for row, why in decision.kept.items()}},
        learned=seconds_left is not None,
    )


class _Rules:
    """The cluster with the drains decided on so far, and kube-scheduler's filters on it.

    Args:
        snapshot: the cluster.
        names: of its nodes, by row; bins of instances have the same order.
        classes: workload classes.
    """

    def __init__(self, snapshot: Snapshot, names: Sequence[str], classes: Mapping[str, WorkloadClass]) -> None:
        self.snapshot, self.names, self.classes = snapshot, names, classes

    def attempt(self, candidate: Candidate[Pod]) -> _Trial:
        """The pods of the node taken off it; it takes none any more, and empty nodes stay empty: opening one saves nothing."""
        return _Trial(self, self.names[candidate.row], [mover.pod for mover in candidate.movers])


class _Trial:
    def __init__(self, rules: _Rules, source: str, pods: Sequence[Pod]) -> None:
        self._rules, self._pods = rules, pods
        self._rest = without(rules.snapshot, pods)
        nodes = {n: closed(i) if n == source or is_empty(i) else i for n, i in self._rest.nodes.items()}
        pending = dict(Counter(pod.signature for pod in pods))
        self._asked = replace(self._rest, nodes=nodes, pending=pending, expected={})
        instance = build_instance(self._asked, rules.classes)
        self._items = {item.signature: number for number, item in enumerate(instance.items)}
        self._eligible = [frozenset(bins) for bins in instance.eligible]
        self._packing = Packing(instance)
        self._where: dict[str, str] = {}

    def admits(self, pod: Pod, row: int) -> bool:
        """Whether every filter lets the pod onto the node, the pods put elsewhere before considered."""
        item = self._items[pod.signature]
        return row in self._eligible[item] and self._packing.refuses(item, row) is None

    def put(self, pod: Pod, row: int) -> None:
        """The pod goes there."""
        self._packing.add(self._items[pod.signature], row)
        self._where[pod.uid] = self._rules.names[row]

    def keep(self) -> str:
        """The pods stand there from now on, if the validator agrees."""
        verdict = validate(self._asked, slots_by_name(self._packing), self._rules.classes)
        if verdict.dropped or len(verdict.order) < len(self._pods):
            return "its pods do not fit on other nodes in use"
        self._rules.snapshot = with_placed(self._rest, self._pods, self._where)
        return ""


def _numbers(snapshot: Snapshot, names: Sequence[str], seconds_left: Mapping[str, float] | None) -> Nodes:
    infos = [snapshot.nodes[name] for name in names]

    def ints(values: Iterable[int]) -> Ints:
        return np.fromiter(values, np.int64, len(infos))

    def left(resource: str) -> Ints:
        return ints(info.node.allocatable.get(resource, 0) - info.used.get(resource, 0) for info in infos)

    expected = [LOOK_AHEAD_S if seconds_left is None else seconds_left.get(name, 0.0) for name in names]
    return Nodes(
        price=ints(node_price(info.node) for info in infos),
        cpu=ints(info.node.allocatable.get("cpu", 0) for info in infos),
        memory=ints(info.node.allocatable.get("memory", 0) for info in infos),
        cpu_left=left("cpu"),
        memory_left=left("memory"),
        pods_left=left("pods"),
        in_use=np.array([not is_empty(info) for info in infos], np.bool_),
        seconds_left=np.array(expected, np.float64),
    )


def _mover(pod: Pod) -> Mover[Pod]:
    requests = dict(pod.signature.requests)
    return Mover(pod, requests.get("cpu", 0), requests.get("memory", 0))


def _in_words(kept: Kept[Pod]) -> str:
    return kept.why if kept.pod is None else f"{kept.pod.namespace}/{kept.pod.name}: {kept.why}"


def _kept(info: NodeInfo, pods: Sequence[Pod], seconds_left: Mapping[str, float] | None) -> str:
    """Why the node is not to be emptied whatever its budgets and the other nodes are, or an empty string."""
    spoken = _spoken_for(info)
    if spoken:
        return spoken
    if seconds_left is not None and info.node.name not in seconds_left:
        return "the extender does not know it yet"
    for pod in _movable(pods):
        why = unmovable(pod)
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
