"""Nodes worth naming for a pod: those with slots of the plan, then the best of a short greedy walk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from extender.plan import Plan
from extender.reservations import Reservations
from extender.scoring import Candidate, Strategy
from extender.slots import SlotLedger
from extender.snapshot import NodeInfo, Snapshot
from stowplan.model.pod import Pod
from stowplan.model.resources import Amounts, add


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision reads."""

    snapshot: Snapshot
    ledger: SlotLedger
    reservations: Reservations
    order: Sequence[str]
    """Nodes in the order in which they are to be filled."""
    strategy: Strategy

    @property
    def plan(self) -> Plan:
        """The plan that slots are counted by."""
        return self.ledger.plan


@dataclass(frozen=True, slots=True)
class Option:
    """A node on which the pod fits by our books."""

    node: str
    planned: bool
    occupied: bool
    """Whether the node is in use anyway, so that the pod does not open it."""
    value: int
    """By the scoring strategy; larger is better."""
    price_micro_usd_per_hour: int


@dataclass(frozen=True, slots=True)
class PlannedNodes:
    """What became of the plan's slots for a pod."""

    options: tuple[Option, ...] = ()
    not_offered: int = 0
    """Nodes with slots left that the scheduler did not offer."""
    stale: int = 0
    """Nodes with slots left that were offered but on which the pod does not fit any more, or that are gone."""


NO_SLOTS: Final = PlannedNodes()


def planned(pod: Pod, offered: Collection[str], view: View, limit: int) -> PlannedNodes:
    """The first `limit` nodes, in the plan's order, that have a slot left, are offered and have room."""
    asked = dict(pod.signature.requests)
    options: list[Option] = []
    not_offered = stale = 0
    for name in view.ledger.nodes(pod.signature, besides=pod.uid):
        if name not in offered:
            not_offered += 1
            continue
        option = evaluate(pod, asked, name, view, planned=True)
        if option is None:
            stale += 1
            continue
        options.append(option)
        if len(options) == limit:
            break
    return PlannedNodes(tuple(options), not_offered, stale)


def greedy(pod: Pod, offered: Collection[str], view: View, candidates: int) -> list[Option]:
    """The first `candidates` nodes in fill order that are offered and have room, best first by the strategy.

    The walk stops as soon as it has found that many: at 5,000 nodes it must not look at each. Ties keep the fill order.
    """
    asked = dict(pod.signature.requests)
    found: list[Option] = []
    for name in view.order:
        if name in offered:
            option = evaluate(pod, asked, name, view, planned=False)
            if option is not None:
                found.append(option)
                if len(found) == candidates:
                    break
    return sorted(found, key=lambda option: -option.value)


def evaluate(pod: Pod, asked: Amounts, name: str, view: View, *, planned: bool) -> Option | None:
    """The node as an option, or None where `asked`, the pod's requests, finds no room there, or the node takes no pods."""
    info = view.snapshot.nodes.get(name)
    if info is None or info.node.unschedulable or not info.node.ready:
        return None
    held = view.reservations.used(name, besides=pod.uid)
    used = add(info.used, held) if held else info.used
    if not fits(asked, used, info.node.allocatable):
        return None
    occupied = bool(held) or is_occupied(info)
    price = info.node.price_micro_usd_per_hour
    value = view.strategy(Candidate(asked, used, info.node.allocatable, price, occupied))
    return Option(name, planned, occupied, value, price)


def fits(asked: Amounts, used: Amounts, allocatable: Amounts) -> bool:
    """Whether there is room; a resource that is not asked for does not matter, one that the node does not name has none."""
    for resource, amount in asked.items():  # noqa: SIM110 - innermost of the greedy walk; a generator doubles its time
        if amount > 0 and used.get(resource, 0) + amount > allocatable.get(resource, 0):
            return False
    return True


def is_occupied(info: NodeInfo) -> bool:
    """Whether the node carries more than DaemonSet pods, which come with every node."""
    return any(not signature.owner_key.startswith("DaemonSet/") for signature in info.residents)


def fill_order(snapshot: Snapshot) -> tuple[str, ...]:
    """Our own order where no plan gives one: nodes in use before empty ones, the fuller and the cheaper first, then by name."""

    def key(info: NodeInfo) -> tuple[bool, int, int, str]:
        cpu = max(1, info.node.allocatable.get("cpu", 0))
        fill = info.used.get("cpu", 0) * 1000 // cpu
        return not is_occupied(info), -fill, info.node.price_micro_usd_per_hour * 1000 // cpu, info.node.name

    usable = (i for i in snapshot.nodes.values() if i.node.ready and not i.node.unschedulable)
    return tuple(info.node.name for info in sorted(usable, key=key))
