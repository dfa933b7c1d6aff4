"""Where to put pods that are placed at one moment: a local search from the places found for them one after the other.

A greedy walk decides for each pod as if it were the last one. But the pods of an owner tend to end together, so the node that the first of
them should have taken depends on whether the others find room beside it. As long as that saves money (`Block.cost`), the search relocates
one pod, all pods of a kind or of an owner that stand on a node, and swaps one pod, or all of a kind, with those of another node.
It opens no node; one that all its pods leave is saved whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from extender.lifetimes.block import Block, Counts, Ground, Kind, added_to, without

Unit = tuple[int, int]
"""Kind and node."""
_Choice = Callable[[int, int], Counts]
"""Pods that go together: of a kind on a node, those or more; none where another choice has them already."""

_SWEEPS: Final = 5
"""Most passes over all pods; after two or three nothing changes any more."""
_NEAR: Final = 100
"""A kind on a node is swapped with so many that follow it in the order of placement: bounds the work."""
_LEAST_SECONDS: Final = 1
"""A change has to save so much of the dearest node's time, as sums of floating-point numbers judge no closer."""


def rearranged(ground: Ground, kinds: Sequence[Kind], placed: Sequence[Unit]) -> list[int]:
    """The nodes of some pods after the search.

    Args:
        ground: the nodes without them.
        kinds: what they are like.
        placed: of each pod the kind and the node found for it, in the order of placement.
    """
    block = Block(ground, kinds)
    for kind, node in placed:
        block.put({kind: 1}, node)
    search(block, placed)
    return _nodes(block, placed)


def search(block: Block, placed: Sequence[Unit]) -> None:
    """Change a block whose pods were placed in an order."""
    rank = {kind: position for position, (kind, _) in reversed(list(enumerate(placed)))}
    searching = _Search(block, rank)
    for _ in range(_SWEEPS):
        if not searching.sweep():
            break


class _Search:
    """Changes a block.

    Args:
        rank: kind -> position in the order of placement.
    """

    def __init__(self, block: Block, rank: dict[int, int]) -> None:
        self._block = block
        self._rank = rank
        self._least = _LEAST_SECONDS * block.dearest

    def sweep(self) -> bool:
        """Try every relocation and every swap once; whether one was made."""
        made = False
        choices: tuple[_Choice, ...] = (self._single, self._of_kind, self._of_owner)
        for choose in choices:
            for kind, node in self._units():
                while self._relocate(choose(kind, node), node):
                    made = True
        for choose in (self._single, self._of_kind):
            units = self._units()
            for position, unit in enumerate(units):
                for other in units[position + 1 : position + _NEAR]:
                    made |= self._swap(choose, unit, other)
        return made

    def _units(self) -> list[Unit]:
        on = self._block.on
        return sorted(
            ((kind, node) for node, kinds in on.items() for kind in kinds if not self._block.kinds[kind].fixed),
            key=lambda u: (self._rank[u[0]], u[1]),
        )

    def _there(self, node: int) -> Counts:
        return self._block.on.get(node, {})

    def _single(self, kind: int, node: int) -> Counts:
        return {kind: 1} if kind in self._there(node) else {}

    def _of_kind(self, kind: int, node: int) -> Counts:
        count = self._there(node).get(kind, 0)
        return {kind: count} if count > 1 else {}

    def _of_owner(self, kind: int, node: int) -> Counts:
        there, kinds = self._there(node), self._block.kinds
        if kind not in there:
            return {}
        found = {
            other: count
            for other, count in there.items()
            if kinds[other].owner == kinds[kind].owner and not kinds[other].fixed
        }
        return found if len(found) > 1 else {}

    def _relocate(self, pods: Counts, source: int) -> bool:
        """Put pods on the node where they cost least, if that saves anything."""
        if not pods:
            return False
        block = self._block
        before = self._there(source)
        saved = block.cost(source, before) - block.cost(source, without(before, pods))
        targets = block.targets(pods)
        targets = targets[targets != source]
        if not len(targets):
            return False
        gains = saved - block.growth(pods, targets)
        best = int(gains.argmax())
        if gains[best] <= self._least:
            return False
        block.put(pods, source, -1)
        block.put(pods, int(targets[best]))
        return True

    def _swap(self, choose: _Choice, unit: Unit, other: Unit) -> bool:
        """Exchange what two nodes hold of two kinds, if that saves anything."""
        (kind, node), (kind_too, node_too) = unit, other
        if kind == kind_too or node == node_too:
            return False
        pods = choose(kind, node) or self._single(kind, node)
        others = choose(kind_too, node_too) or self._single(kind_too, node_too)
        block = self._block
        if not pods or not others or not (block.takes(node, others, pods) and block.takes(node_too, pods, others)):
            return False
        here, there = self._there(node), self._there(node_too)
        saved = block.cost(node, here) + block.cost(node_too, there)
        saved -= block.cost(node, added_to(without(here, pods), others))
        saved -= block.cost(node_too, added_to(without(there, others), pods))
        if saved <= self._least:
            return False
        for moving, source, target in ((pods, node, node_too), (others, node_too, node)):
            block.put(moving, source, -1)
            block.put(moving, target)
        return True


def _nodes(block: Block, placed: Sequence[Unit]) -> list[int]:
    """Of each pod; pods of a kind take its nodes in the order of their numbers."""
    of_kind: dict[int, list[int]] = {}
    for node in sorted(block.on, reverse=True):
        for kind, count in block.on[node].items():
            of_kind.setdefault(kind, []).extend([node] * count)
    return [of_kind[kind].pop() for kind, _ in placed]
