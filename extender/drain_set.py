"""The drain set: nodes in use that take no more pods while others have room, so that they run empty and can be removed.

A guess by requests alone, made beside the plans: the emptiest movable nodes whose pods would fit into what is free on others in use.
Nothing is moved for it. `extender.moves.consolidation` decides in full where pods are to be moved.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from extender.binpacking.bins import is_furniture
from extender.binpacking.eligibility import Eligibility
from extender.binpacking.prices import node_price, total_worth
from extender.cluster.snapshot import NodeInfo, Snapshot
from stowplan.model.disruption import LEAVING_TAINTS

MOST_NODES: Final = 10
"""Nodes starved at once: those that follow get their turn when these are gone."""
_MOST_PODS: Final = 20
"""A node with more pods takes too long to run empty."""
_TRIES: Final = 4
"""Candidates looked at per node of the set, and nodes looked at per pod: bound the work of a plan."""
_SHARE: Final = 10
"""At most one in so many nodes in use."""


def drain_set(snapshot: Snapshot, most: int = MOST_NODES) -> tuple[str, ...]:
    """Names of the nodes to starve, the one that could go first at the front."""
    in_use = {n: i for n, i in snapshot.nodes.items() if _takes_pods(i) and not _is_empty(i)}
    most = min(most, len(in_use) // _SHARE)
    if most <= 0:
        return ()
    candidates = heapq.nsmallest(
        most * _TRIES, (n for n, i in in_use.items() if _can_run_empty(i)), lambda n: (_filled(in_use[n]), n)
    )
    room = _Room(snapshot, in_use)
    chosen: list[str] = []
    for name in candidates:
        if len(chosen) < most and room.absorb(name):
            chosen.append(name)
    return tuple(chosen)


def starved(fill_order: Iterable[str], drain: Iterable[str], snapshot: Snapshot) -> tuple[str, ...]:
    """A fill order in which the drain set comes after all other nodes in use, and before the empty ones: opening one costs more."""
    last = dict.fromkeys(drain)
    order = [name for name in fill_order if name not in last]
    opened = next((at for at, name in enumerate(order) if _is_empty(snapshot.nodes[name])), len(order))
    known = [name for name in reversed(list(last)) if name in snapshot.nodes]
    return (*order[:opened], *known, *order[opened:])


class _Room:
    """What is free on the nodes in use, while the pods of one node after another are put there."""

    def __init__(self, snapshot: Snapshot, in_use: Mapping[str, NodeInfo]) -> None:
        self._snapshot = snapshot
        self._free = {n: _free(i) for n, i in in_use.items()}
        self._gone: set[str] = set()
        self._received: set[str] = set()

    def absorb(self, name: str) -> bool:
        """Whether the node's pods fit on the others; if so they are put there, and the node gives no room any more."""
        if name in self._received:
            return False
        info = self._snapshot.nodes[name]
        taken: list[tuple[str, Mapping[str, int]]] = []
        moving = [(s, n) for s, n in info.residents.items() if not is_furniture(s)]
        static = Eligibility(signature for signature, _ in moving)
        roomiest = heapq.nlargest(_TRIES * _MOST_PODS, self._others(name), lambda n: self._free[n].get("cpu", 0))
        nodes = [self._snapshot.nodes[n].node for n in roomiest]
        for signature, count in moving:
            verdicts = static.verdicts(signature, nodes)
            open_to_it = [n for n, refusal in zip(roomiest, verdicts, strict=True) if refusal is None]
            asked = dict(signature.requests)
            for _ in range(count):
                target = next((n for n in open_to_it if _fits(asked, self._free[n])), None)
                if target is None:
                    self._give_back(taken)
                    return False
                self._take(target, asked)
                taken.append((target, asked))
        self._gone.add(name)
        self._received.update(target for target, _ in taken)
        return True

    def _others(self, name: str) -> Iterable[str]:
        return (n for n in self._free if n != name and n not in self._gone)

    def _take(self, name: str, asked: Mapping[str, int], sign: int = 1) -> None:
        for resource, amount in asked.items():
            self._free[name][resource] = self._free[name].get(resource, 0) - sign * amount

    def _give_back(self, taken: Iterable[tuple[str, Mapping[str, int]]]) -> None:
        for name, asked in taken:
            self._take(name, asked, -1)


def _can_run_empty(info: NodeInfo) -> bool:
    """Whether nobody wants the node kept, nobody removes it already, and none of its pods must stay."""
    if info.node.kept or any(taint.key in LEAVING_TAINTS for taint in info.node.taints):
        return False
    moving = [(s, n) for s, n in info.residents.items() if not is_furniture(s)]
    return sum(n for _, n in moving) <= _MOST_PODS and not any(s.pinned or s.unplannable for s, _ in moving)


def _takes_pods(info: NodeInfo) -> bool:
    return info.node.ready and not info.node.unschedulable


def _is_empty(info: NodeInfo) -> bool:
    return all(is_furniture(signature) for signature in info.residents)


def _filled(info: NodeInfo) -> int:
    """Worth of what is requested there for each dollar of its price, in thousandths."""
    return total_worth(info.used) * 1000 // max(1, node_price(info.node))


def _free(info: NodeInfo) -> dict[str, int]:
    return {resource: amount - info.used.get(resource, 0) for resource, amount in info.node.allocatable.items()}


def _fits(asked: Mapping[str, int], free: Mapping[str, int]) -> bool:
    return all(amount <= 0 or free.get(resource, 0) >= amount for resource, amount in asked.items())
