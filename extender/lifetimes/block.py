"""Pods that are placed at one moment, and what the nodes cost with them: what `extender.lifetimes.local_search` looks for less of.

The cost of a node is its price times

- the seconds for which it is expected to be in use, by these pods and by what stands there, and
- the seconds charged for what stays free (`extender.scoring.expected_cost`), once for each of these pods.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extender.lifetimes.node_curves import Curve
from extender.lifetimes.standing import Floats, Ints
from extender.lifetimes.survival import BINS, WIDTHS
from extender.scoring.expected_cost import (
    CS,
    asked_shares_of,
    costs_in_use,
    costs_of_opening,
    free_times,
    hundredths,
)

Mask = NDArray[np.bool_]
Counts = Mapping[int, int]
"""Kind -> pods."""

_CERTAIN: Final = 1 - 2**-20
"""As in `extender.lifetimes.node_curves`: nothing is more certain."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Pods that are alike."""

    owner: Hashable
    """Pods of one owner are expected to end together."""
    cpu: int
    """Millicores."""
    memory: int
    """Bytes."""
    survival: Floats
    """The chance to stand in each bin of the time ahead."""
    allowed: Mask | None = None
    """Nodes on which they may stand, by row; None for all."""
    fixed: bool = False
    """They stay where they are: what else they need is not known here."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The nodes, by row, as they are without these pods."""

    price: Ints
    """Micro-dollars an hour."""
    cpu: Ints
    memory: Ints
    cpu_left: Ints
    memory_left: Ints
    pods_left: Ints
    kept: Mask
    """Others stand there, so that the node is in use in any case."""
    gone: Floats
    """The chance that all others have left, one row a node, by bin of the time ahead."""
    siblings: Mapping[Hashable, Mapping[int, Floats | Curve]] = field(default_factory=dict)
    """Owner -> row -> survival of the longest of the owner's pods among the others; counted in `gone`."""


class Block:
    """The pods by kind and node; rows and kinds are indices."""

    def __init__(self, ground: Ground, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        self.dearest = float(ground.price.max(initial=1))
        """Micro-dollars an hour."""
        self.on: dict[int, dict[int, int]] = {}
        """Node -> kind -> pods."""
        self._ground = ground
        self._cpu, self._memory = ground.cpu_left.copy(), ground.memory_left.copy()
        self._room, self._count = ground.pods_left.copy(), np.zeros_like(ground.pods_left)
        self._gone = ground.gone.copy()
        self._longest: dict[tuple[int, ...], Floats] = {(n,): _kept(kind.survival) for n, kind in enumerate(kinds)}
        self._known: dict[tuple[int, frozenset[tuple[int, int]]], float] = {}

    def put(self, pods: Counts, node: int, times: int = 1) -> None:
        """Place pods on a node, or (`times` -1) take them off it."""
        there = self.on.setdefault(node, {})
        for kind, count in pods.items():
            there[kind] = there.get(kind, 0) + times * count
            if not there[kind]:
                del there[kind]
        cpu, memory, count = self._asked(pods)
        self._cpu[node] -= times * cpu
        self._memory[node] -= times * memory
        self._room[node] -= times * count
        self._count[node] += times * count
        self._gone[node] = self._curve(node, there)
        if not there:
            del self.on[node]

    def cost(self, node: int, pods: Counts) -> float:
        """Micro-dollars an hour times seconds, of a node with these of the pods and no others; whole, so that equal nodes are equal."""
        key = (node, frozenset(pods.items()))
        if key not in self._known:
            self._known[key] = self._cost(node, pods)
        return self._known[key]

    def takes(self, node: int, arriving: Counts, leaving: Counts) -> bool:
        """Whether pods fit on a node once others of these pods have left it."""
        cpu, memory, count = self._asked(arriving)
        less_cpu, less_memory, less = self._asked(leaving)
        return bool(
            cpu - less_cpu <= self._cpu[node]
            and memory - less_memory <= self._memory[node]
            and count - less <= self._room[node]
            and all(allowed[node] for allowed in self._allowed(arriving))
        )

    def targets(self, pods: Counts) -> Ints:
        """Nodes in use on which some pods fit."""
        nodes = self.room(pods)
        in_use: Ints = nodes[self._ground.kept[nodes] | (self._count[nodes] > 0)]
        return in_use

    def walk_costs(self, pod: int, nodes: Ints) -> Ints:
        """What the greedy walk of a request would charge for one pod of a kind on each of some nodes on which it fits."""
        kind, ground = self.kinds[pod], self._ground
        price, cpu, memory = ground.price[nodes], ground.cpu[nodes], ground.memory[nodes]
        left = self._cpu[nodes] - kind.cpu, self._memory[nodes] - kind.memory
        free = free_times(left[0], cpu, left[1], memory)
        in_use = costs_in_use(price, hundredths(self._added({pod: 1}, nodes)), free)
        keeps = ground.kept[nodes] | (self._count[nodes] > 0)
        return np.where(keeps, in_use, costs_of_opening(price, asked_shares_of(kind.cpu, cpu, kind.memory, memory)))

    def room(self, pods: Counts) -> Ints:
        """Nodes on which some pods fit, empty ones too."""
        cpu, memory, count = self._asked(pods)
        fits = (self._cpu >= cpu) & (self._memory >= memory) & (self._room >= count)
        for allowed in self._allowed(pods):
            fits &= allowed
        return np.flatnonzero(fits)

    def total(self) -> float:
        """What all of these pods add to the cost of the nodes."""
        return sum(self.cost(node, there) - self.cost(node, {}) for node, there in self.on.items())

    def growth(self, pods: Counts, nodes: Ints) -> Floats:
        """What pods of one owner would add to the cost of each of some nodes on which they fit."""
        cpu, memory, count = self._asked(pods)
        there = self._count[nodes]
        free = (there + count) * self._free(nodes, cpu, memory) - there * self._free(nodes, 0, 0)
        grown: Floats = np.rint(self._ground.price[nodes] * (self._added(pods, nodes) + free))
        return grown

    def _added(self, pods: Counts, nodes: Ints) -> Floats:
        """Expected seconds for which each of some nodes would be in use for pods of one owner alone."""
        owner = self.kinds[next(iter(pods))].owner
        added: Floats = self._gone[nodes] @ (self._of_kinds(pods) * WIDTHS)
        company = set(self._ground.siblings.get(owner, ())) | {
            node for node, kinds in self.on.items() if any(self.kinds[kind].owner == owner for kind in kinds)
        }
        for position in np.flatnonzero(np.isin(nodes, list(company))).tolist():
            node = int(nodes[position])
            there = self.on.get(node, {})
            with_them = self._curve(node, added_to(there, pods))
            added[position] = (self._gone[node] - with_them) @ WIDTHS
        return added

    def _cost(self, node: int, pods: Counts) -> float:
        if not pods and not self._ground.kept[node]:
            return 0.0
        there = self.on.get(node, {})
        cpu, memory, count = self._asked(pods)
        cpu_now, memory_now, _ = self._asked(there)
        free = self._free(np.array([node]), cpu - cpu_now, memory - memory_now)
        in_use = (1 - self._curve(node, pods)) @ WIDTHS
        return float(np.rint(self._ground.price[node] * (in_use + count * free[0])))

    def _free(self, nodes: Ints, cpu: int, memory: int) -> Floats:
        """Seconds charged for what stays free once so much more is taken."""
        ground = self._ground
        left = self._cpu[nodes] - cpu, self._memory[nodes] - memory
        free: Floats = free_times(left[0], ground.cpu[nodes], left[1], ground.memory[nodes]) / CS
        return free

    def _curve(self, node: int, pods: Counts) -> Floats:
        """The chance that all have left, with these of the pods."""
        gone: Floats = self._ground.gone[node].copy()
        by_owner: dict[Hashable, list[int]] = {}
        for kind in pods:
            by_owner.setdefault(self.kinds[kind].owner, []).append(kind)
        for owner, kinds in by_owner.items():
            longest = self._of_kinds(kinds)
            sibling = self._ground.siblings.get(owner, {}).get(node)
            if sibling is not None:
                known = _kept(sibling)
                longest = np.maximum(longest, known)
                gone /= 1 - known
            gone *= 1 - longest
        return gone

    def _of_kinds(self, kinds: Iterable[int]) -> Floats:
        """The survival of the longest of some kinds."""
        key = tuple(sorted(kinds))
        if key not in self._longest:
            self._longest[key] = reduce(np.maximum, (self._longest[kind,] for kind in key), np.zeros(BINS))
        longest: Floats = self._longest[key]
        return longest

    def _asked(self, pods: Counts) -> tuple[int, int, int]:
        """CPU, memory and slots."""
        cpu = sum(self.kinds[kind].cpu * count for kind, count in pods.items())
        memory = sum(self.kinds[kind].memory * count for kind, count in pods.items())
        return cpu, memory, sum(pods.values())

    def _allowed(self, pods: Counts) -> list[Mask]:
        return [allowed for kind in pods if (allowed := self.kinds[kind].allowed) is not None]


def _kept(survival: Floats | Curve) -> Floats:
    """As precise as nodes' curves keep it (`extender.lifetimes.node_curves`), so that the same numbers come out."""
    kept: Floats = np.minimum(survival, _CERTAIN).astype(np.float32).astype(np.float64)
    return kept


def added_to(there: Counts, pods: Counts) -> dict[int, int]:
    """Counts with those of some pods more."""
    return {kind: there.get(kind, 0) + pods.get(kind, 0) for kind in there.keys() | pods.keys()}


def without(there: Counts, pods: Counts) -> dict[int, int]:
    """Counts without some pods."""
    return {kind: left for kind, count in there.items() if (left := count - pods.get(kind, 0))}
