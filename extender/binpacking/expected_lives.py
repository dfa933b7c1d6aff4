"""Pods that wait together, placed by how long they are expected to stay: the rule of the greedy walk, and a search over all of them.

Those expected to stay longest go first, each to the node where it costs least (`extender.scoring.expected_cost`); then a local search
(`extender.lifetimes.local_search`) looks for better nodes for all of them. Only pods that need CPU and memory alone are touched; others
keep the slots they have and count for their nodes. What comes out is taken only where it leaves no pod more without a slot, opens nothing
dearer, and is worth more than it costs in comfort.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import numpy as np

from extender.binpacking.discomfort import discomfort
from extender.binpacking.feasibility import Packing, Slots, replay
from extender.binpacking.instance import Instance
from extender.binpacking.objectives import score
from extender.lifetimes.block import Block, Ground, Kind
from extender.lifetimes.local_search import Unit, search
from extender.lifetimes.outlook import Outlook, owner_of
from extender.lifetimes.standing import Floats, Ints
from extender.lifetimes.survival import WIDTHS
from extender.scoring.expected_cost import CS, FIT_CS
from extender.scoring.strategy import SCALE

_PERCENT: Final = 100
_SECONDS_AN_HOUR: Final = 3600
_PLAIN: Final = frozenset({"cpu", "memory", "pods"})
_MOST_WORK: Final = 1_000_000
"""Owners' groups of pods that are alike (and pods without an owner) times nodes, beyond which the walk is left out."""
_MOST_SEARCHED: Final = 100_000
"""Items on nodes, times nodes, beyond which the search is left out: bounds a plan's time."""


class ExpectedLives:
    """The waiting pods of an instance under an outlook.

    Args:
        instance: what to pack where.
        outlook: what is expected of its nodes and pods.
    """

    def __init__(self, instance: Instance, outlook: Outlook) -> None:
        self._instance = instance
        batches: Counter[Hashable] = Counter()
        for item in instance.items:
            batches[owner_of(item.signature)] += item.count
        self._survival = [
            outlook.survival(item.signature, batches[owner_of(item.signature)] if item.signature.owner_key else 1)
            for item in instance.items
        ]
        self._ground = _ground(instance, outlook)
        self._plain = _plain_items(instance)
        kinds = sum(1 if item.signature.owner_key else item.count for item in instance.items)
        self._feasible = kinds * len(instance.bins) <= _MOST_WORK

    def cost(self, packing: Packing) -> float:
        """Micro-dollars that the slots are expected to add to the bill, and what their discomfort is worth."""
        block, _ = self._block(dict(enumerate(packing.slots)))
        return block.total() / _SECONDS_AN_HOUR + self._worth_of_a_point() * discomfort(packing)

    def improved(self, packing: Packing) -> Packing:
        """The packing, or a better one."""
        if not self._feasible or not self._plain:
            return packing
        block, kinds = self._block({i: nodes for i, nodes in enumerate(packing.slots) if i not in self._plain})
        placed = self._walk(block, kinds)
        if sum(map(len, block.on.values())) * len(self._instance.bins) <= _MOST_SEARCHED:
            search(block, placed)
        found = replay(self._instance, self._slots(block, kinds))
        if _left_and_price(found) > _left_and_price(packing) or self.cost(found) > self.cost(packing):
            return packing
        return found

    def _walk(self, block: Block, kinds: _Kinds) -> list[Unit]:
        """Place the plain items, most important first, then those expected to stay longest; ties as the instance has them."""
        instance = self._instance
        lives = [float(survival @ WIDTHS) for survival in self._survival]
        placed: list[Unit] = []
        for item in sorted(self._plain, key=lambda i: (-instance.priority(i), -lives[i], i)):
            first = kinds.first[item]
            nodes = block.room({first: 1})
            costs = block.walk_costs(first, nodes)
            for number in range(instance.items[item].count):
                if not len(nodes):
                    break
                kind, best = kinds.of(item, number), int(costs.argmin())
                block.put({kind: 1}, int(nodes[best]))
                placed.append((kind, int(nodes[best])))
                following, node = kinds.of(item, number + 1), nodes[best : best + 1]
                if block.takes(int(node[0]), {following: 1}, {}):
                    costs[best] = block.walk_costs(following, node)[0]
                else:
                    nodes, costs = np.delete(nodes, best), np.delete(costs, best)
        return placed

    def _block(self, placed: Slots) -> tuple[Block, _Kinds]:
        """The nodes with these slots. Pods of items that are not plain stay where they are."""
        kinds = _Kinds(self._instance, self._survival, self._plain)
        block = Block(self._ground, kinds.list)
        for item, nodes in placed.items():
            number = 0
            for node, count in nodes.items():
                for _ in range(count):
                    block.put({kinds.of(item, number): 1}, node)
                    number += 1
        return block, kinds

    def _slots(self, block: Block, kinds: _Kinds) -> Slots:
        slots: dict[int, dict[int, int]] = {}
        for node, there in block.on.items():
            for kind, count in there.items():
                nodes = slots.setdefault(kinds.item[kind], {})
                nodes[node] = nodes.get(node, 0) + count
        return slots

    def _worth_of_a_point(self) -> float:
        """Micro-dollars of one point of discomfort: against money as in a request, at the mean price of a node."""
        weights = [c.scheduling.weights for c in self._instance.classes.values()]
        money = [w.pack + w.cost for w in weights if w.latency] or [_PERCENT]
        price = float(self._ground.price.mean()) if len(self._ground.price) else 0.0
        return price * FIT_CS / CS / SCALE / max(1.0, sum(money) / len(money)) / _SECONDS_AN_HOUR


class _Kinds:
    """Items as kinds of a block; pods without an owner have nothing in common, so each is a kind of its own."""

    def __init__(self, instance: Instance, survival: Sequence[Floats], plain: frozenset[int]) -> None:
        self.list: list[Kind] = []
        self.item: list[int] = []
        self.first: list[int] = []
        for index, item in enumerate(instance.items):
            self.first.append(len(self.list))
            allowed = np.zeros(len(instance.bins), np.bool_)
            allowed[list(instance.eligible[index])] = True
            alone = not item.signature.owner_key
            for number in range(item.count + 1 if alone else 1):
                owner = (index, number) if alone else owner_of(item.signature)
                asked = item.requests.get("cpu", 0), item.requests.get("memory", 0)
                self.list.append(Kind(owner, *asked, survival[index], allowed, fixed=index not in plain))
                self.item.append(index)
        self._alone = [not item.signature.owner_key for item in instance.items]

    def of(self, item: int, number: int) -> int:
        """The kind of an item's pod."""
        return self.first[item] + (number if self._alone[item] else 0)


def _ground(instance: Instance, outlook: Outlook) -> Ground:
    bins = instance.bins
    names = [b.node.name for b in bins]
    numbers = {name: number for number, name in enumerate(names)}

    def ints(values: Iterable[int]) -> Ints:
        return np.fromiter(values, np.int64, len(bins))

    return Ground(
        price=ints(b.price for b in bins),
        cpu=ints(b.node.allocatable.get("cpu", 0) for b in bins),
        memory=ints(b.node.allocatable.get("memory", 0) for b in bins),
        cpu_left=ints(b.free.get("cpu", 0) for b in bins),
        memory_left=ints(b.free.get("memory", 0) for b in bins),
        pods_left=ints(b.free.get("pods", 0) for b in bins),
        kept=np.fromiter((not b.empty for b in bins), np.bool_, len(bins)),
        gone=outlook.gone(names),
        siblings={
            owner_of(i.signature): outlook.siblings(i.signature, numbers)
            for i in instance.items
            if i.signature.owner_key
        },
    )


def _plain_items(instance: Instance) -> frozenset[int]:
    """Items to which a node is nothing but CPU, memory and slots, and of which no rule counts the pods."""
    ruled: set[int] = set(instance.separated) | set(instance.affinities) | set(instance.port_conflicts)
    ruled.update(other for others in instance.separated.values() for _, other in others)
    for affinity in instance.affinities.values():
        ruled.update(affinity.matching)
    for spread in instance.spreads:
        ruled |= {spread.item, *spread.matching}
    for limit in instance.limits:
        ruled |= {*limit.items, *limit.counted}
    for company in instance.companies:
        ruled |= {company.item, *company.matching}
    for gang in instance.gangs:
        ruled.update(gang.items)
    for hop in instance.hops:
        ruled |= hop.items | hop.peers
    return frozenset(i for i, item in enumerate(instance.items) if i not in ruled and item.requests.keys() <= _PLAIN)


def _left_and_price(packing: Packing) -> tuple[object, int]:
    return score(packing, {})[:2]
