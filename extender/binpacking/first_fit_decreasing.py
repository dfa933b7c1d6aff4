"""The greedy packer: price-weighted best fit decreasing. It is the solver's hint and the plan where the solver has nothing better.

Items by priority, then by what they are worth; nodes in use before empty ones; among those in use the tightest fit, among empty ones the
lowest price for what they would hold.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from enum import StrEnum
from typing import Final

from extender.binpacking.discomfort import concerning
from extender.binpacking.feasibility import Packing, Slots
from extender.binpacking.instance import Instance
from extender.binpacking.prices import total_worth

_PASSES: Final = 4
"""An item may wait for another (affinity, spread); what is left after this many rounds stays unplaced."""
_SCALE: Final = 1000
_OF_KIND: Final = frozenset({"load", "preferences"})
"""Soft terms that read of a bin only what its kind says, as long as nothing is placed there; the others look at domains or images."""
_GANG_ATTEMPTS: Final = 8
"""Packings made while groups fall short; the last but one gives up all that still do, so that the cost stays bounded."""

Value = tuple[int, ...]
"""Smaller is better; compared in order."""


class Opening(StrEnum):
    """How an empty node is chosen."""

    PER_POD = "per-pod"
    """Lowest price per pod of this item that it would hold."""
    PER_WORTH = "per-worth"
    """Lowest price per worth of everything still waiting that it would hold: a large node pays when much is to come."""


def first_fit_decreasing(instance: Instance, opening: Opening = Opening.PER_POD, seed: Slots | None = None) -> Packing:
    """Pack greedily. Groups that need all or nothing and do not get all are left out, one after the other, the least important first.

    Args:
        instance: what to pack where.
        opening: how to choose among empty nodes.
        seed: slots (of the last plan) to take first, as far as they are admitted and wanted.
    """
    without: frozenset[int] = frozenset()
    for attempt in range(_GANG_ATTEMPTS + 1):
        packing = _pack(instance, opening, seed or {}, without)
        short = [rule for rule in instance.gangs if rule.short(sum(packing.placed(item) for item in rule.items))]
        if not short:
            break
        least = min(
            short, key=lambda rule: (max(instance.priority(item) for item in rule.items), -rule.needed, rule.group)
        )
        given_up = [least] if attempt < _GANG_ATTEMPTS - 1 else short
        without = without.union(*(rule.items for rule in given_up))
    return packing


def _pack(instance: Instance, opening: Opening, seed: Slots, without: frozenset[int]) -> Packing:
    packer = _Packer(instance, opening)
    packer.take({item: nodes for item, nodes in seed.items() if item not in without})
    order = [item for item in decreasing(instance) if item not in without]
    for _ in range(_PASSES):
        placed = [packer.fill(item) for item in order]
        if not any(placed):
            break
    return packer.packing


def decreasing(instance: Instance) -> list[int]:
    """Items by priority, then those that others' affinity waits for, then by worth of one pod, largest first; ties by index."""

    def key(item: int) -> Value:
        rule = instance.affinities.get(item)
        waits = rule is not None and item not in rule.matching
        return (-instance.priority(item), int(waits), -total_worth(instance.items[item].requests), item)

    return sorted(range(len(instance.items)), key=key)


class _Packer:
    def __init__(self, instance: Instance, opening: Opening) -> None:
        self.packing = Packing(instance)
        self._instance = instance
        self._opening = opening
        self._terms = concerning(instance)
        self._worth_left = [b.worth_free for b in instance.bins]
        self._worth = [total_worth(item.requests) for item in instance.items]
        self._waiting: dict[str, int] = {}
        for item in instance.items:
            for name, amount in item.requests.items():
                self._waiting[name] = self._waiting.get(name, 0) + amount * item.count

    def take(self, seed: Slots) -> None:
        """Place the slots of a seed where they are still admitted."""
        for item, nodes in sorted(seed.items()):
            eligible = frozenset(self._instance.eligible[item])
            for node, count in sorted(nodes.items()):
                for _ in range(count if node in eligible else 0):
                    if self.packing.left(item) <= 0 or self.packing.refuses(item, node) is not None:
                        break
                    self._place(item, node)

    def fill(self, item: int) -> bool:
        """Place as many pods of an item as the bins take; whether any was placed."""
        left = self.packing.left(item)
        if not left:
            return False
        heap = self._valued(item, left)
        heapq.heapify(heap)
        deferred: list[tuple[Value, int]] = []
        before = left
        while left and heap:
            value, node = heapq.heappop(heap)
            refusal = self.packing.refuses(item, node)
            if refusal is not None:
                if refusal.passing:
                    deferred.append((value, node))
                continue
            fresh = self._value(item, node, left)
            if heap and (fresh, node) > heap[0]:  # other placements made it worse since it was valued
                heapq.heappush(heap, (fresh, node))
                continue
            self._place(item, node)
            left -= 1
            for entry in (*deferred, (self._value(item, node, left), node)):
                heapq.heappush(heap, entry)
            deferred.clear()
        return left < before

    def _valued(self, item: int, left: int) -> list[tuple[Value, int]]:
        """The eligible bins with room and their values; those of one kind on which nothing was placed yet share what the kind decides."""
        bins, packing = self._instance.bins, self.packing
        own = [term for term in self._terms[item] if term.name not in _OF_KIND]
        known: dict[int, Value | None] = {}
        found: list[tuple[Value, int]] = []
        for node in self._instance.eligible[item]:
            kind = bins[node].kind
            if kind < 0 or packing.on_bin.get(node):
                if packing.room(item, node):
                    found.append((self._value(item, node, left), node))
                continue
            if kind not in known:
                known[kind] = self._value(item, node, left, _OF_KIND) if packing.room(item, node) else None
            shared = known[kind]
            if shared is not None:
                discomfort = sum(term.marginal(packing, item, node) for term in own) if own else 0
                found.append(((*shared[:2], shared[2] + discomfort, shared[3], node), node))
        return found

    def _place(self, item: int, node: int) -> None:
        self.packing.add(item, node)
        self._worth_left[node] -= self._worth[item]
        for name, amount in self._instance.items[item].requests.items():
            self._waiting[name] -= amount

    def _value(self, item: int, node: int, left: int, only: Collection[str] | None = None) -> Value:
        place = self._instance.bins[node]
        opens = place.empty and not self.packing.on_bin.get(node)
        price = self._price_of_opening(item, node, left) if opens else 0
        leftover = self._worth_left[node] - self._worth[item]
        terms = [term for term in self._terms[item] if only is None or term.name in only]
        discomfort = sum(term.marginal(self.packing, item, node) for term in terms)
        return (int(opens), price, discomfort, leftover, node)

    def _price_of_opening(self, item: int, node: int, left: int) -> int:
        place = self._instance.bins[node]
        if self._opening is Opening.PER_POD:
            return place.price * _SCALE // max(1, min(left, self.packing.room(item, node)))
        held = {name: min(amount, self._waiting.get(name, 0)) for name, amount in place.free.items()}
        return place.price * _SCALE // max(1, total_worth(held))
