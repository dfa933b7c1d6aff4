"""Nodes worth naming for a pod: those with slots of the plan, then the best of a short greedy walk."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.deciding.gpu_fragments import Fragments
from extender.deciding.latency import UNFEELING, Sensitivity, Terms, at_limit, latency_terms, sensitivity
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.plan import Plan
from extender.scoring import Candidate, Strategy
from stowplan.model.pod import Pod
from stowplan.model.resources import Amounts, add
from stowplan.model.workload_class import WorkloadClass


class View(msgspec.Struct, frozen=True):
    """All that a decision reads."""

    snapshot: Snapshot
    ledger: SlotLedger
    reservations: Reservations
    order: Sequence[str]
    """Nodes in the order in which they are to be filled; empty where `nodes` says more."""
    strategy: Strategy
    classes: Mapping[str, WorkloadClass] = msgspec.field(default_factory=dict)
    """Whose weights of latency count."""
    nodes: NodeLedger | None = None
    """Nodes by expected cost; None where the strategy does not go by it, and `order` is walked."""

    drain: Collection[str] = frozenset()
    """The plan's drain set."""

    @property
    def plan(self) -> Plan:
        """The plan that slots are counted by."""
        return self.ledger.plan


class Option(msgspec.Struct, frozen=True):
    """A node on which the pod fits by our books."""

    node: str
    planned: bool
    occupied: bool
    """Whether the node is in use anyway, so that the pod does not open it."""
    value: int
    """By the scoring strategy; larger is better."""
    price_micro_usd_per_hour: int
    latency: Terms = ()
    """By name, in points."""
    added_cs: int = 0
    """Expected hundredths of a second for which the pod alone keeps the node in use; 0 where nothing is known."""
    expected: bool = False
    """Whether the value is an expected cost (`extender.scoring.expected_cost`)."""
    fragments: Fragments | None = None
    """What the pod does to the node's GPUs, where that is weighed."""


class PlannedNodes(msgspec.Struct, frozen=True):
    """What became of the plan's slots for a pod."""

    options: tuple[Option, ...] = ()
    not_offered: int = 0
    """Nodes with slots left that the scheduler did not offer."""
    stale: int = 0
    """Nodes with slots left that were offered but on which the pod does not fit any more, or that are gone."""


NO_SLOTS: Final = PlannedNodes()


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer of either verb rests on."""

    options: tuple[Option, ...] = ()
    """What was compared, best first; the first one is where the pod is expected."""
    slots: PlannedNodes = NO_SLOTS

    @property
    def chosen(self) -> str:
        """The node for which room is held, or empty."""
        return self.options[0].node if self.options else ""


_COMPARED: Final = 3
"""Best nodes kept at least, so that people can be told what the next best would have been."""


def planned(pod: Pod, offered: Collection[str], view: View, limit: int) -> PlannedNodes:
    """The first `limit` nodes, in the plan's order, that have a slot left, are offered and have room.

    Where GPU fragments are weighed only a gang keeps to its slots: plans do not weigh them, so the walk says better where others go.
    """
    if pod.signature not in view.plan.slots:
        return NO_SLOTS
    asked = dict(pod.signature.requests)
    feeling = sensitivity(pod.signature, view.classes, view.plan.guidance)
    options: list[Option] = []
    not_offered = stale = 0
    for name in view.ledger.nodes(pod.signature, besides=pod.uid):
        if pod.signature.gang is None and view.nodes is not None and view.nodes.weighs_fragments(name):
            continue
        if name not in offered:
            not_offered += 1
            continue
        added = view.nodes.added_cs(pod, name) if view.nodes is not None else 0
        option = evaluate(pod, asked, name, view, feeling, planned=True, added_cs=added)
        if option is None:
            stale += 1
            continue
        options.append(option)
        if len(options) == limit:
            break
    return PlannedNodes(tuple(options), not_offered, stale)


def greedy(
    pod: Pod,
    offered: Collection[str],
    view: View,
    candidates: int,
    wanted: int = 1,
    *,
    besides: Collection[str] = (),
) -> list[Option]:
    """The best nodes that are offered and have room, without those of `besides`, best first by the strategy: `wanted` of them, or more.

    The walk goes in order of expected cost, or in fill order, and looks at `candidates` nodes with room at most: at 5,000 nodes it must not
    look at each. In order of expected cost it ends before that, as soon as no node to come can be better than the best few found: latency
    only adds to what is expected. Ties keep the order of the walk.
    """
    asked = dict(pod.signature.requests)
    feeling = sensitivity(pod.signature, view.classes, view.plan.guidance)
    best: list[Option] = []
    kept = max(wanted, _COMPARED)
    found = 0
    for name, added, least in _walk(pod, asked, offered, view):
        if len(best) >= kept and least is not None and least >= -best[kept - 1].value:
            break
        if name in besides:
            continue
        option = evaluate(pod, asked, name, view, feeling, planned=False, added_cs=added)
        if option is not None:
            insort(best, option, key=lambda option: -option.value)
            found += 1
            if found == candidates:
                break
    return best


def _walk(pod: Pod, asked: Amounts, offered: Collection[str], view: View) -> Iterable[tuple[str, int, int | None]]:
    """Offered names, what the pod adds to the time in use, and the least that the node can cost, where that ascends."""
    if view.nodes is None:
        return ((name, 0, None) for name in view.order if name in offered)
    return view.nodes.ranked(pod, asked, offered, view.drain)


def evaluate(
    pod: Pod,
    asked: Amounts,
    name: str,
    view: View,
    feeling: Sensitivity = UNFEELING,
    *,
    planned: bool,
    added_cs: int = 0,
) -> Option | None:
    """The node as an option, or None where `asked`, the pod's requests, finds no room there, or the node takes no (such) pods.

    A slot of the plan keeps the limits of replicas already; without one they are looked up.
    """
    info = view.snapshot.nodes.get(name)
    if info is None or info.node.unschedulable or not info.node.ready:
        return None
    held = view.reservations.used(name, besides=pod.uid)
    used = add(info.used, held) if held else info.used
    if not fits(asked, used, info.node.allocatable):
        return None
    if not planned and feeling.service is not None and at_limit(feeling, info):
        return None
    occupied = bool(held) or is_occupied(info)
    price = info.node.price_micro_usd_per_hour
    terms = latency_terms(feeling, asked, used, info.node, view.snapshot)
    latency = sum(points for _, points in terms) * feeling.weight_percent // 100
    fragments = view.nodes.fragments_on(asked, name) if view.nodes is not None else None
    paid = occupied or (fragments is not None and fragments.paid)
    charged = None if fragments is None else fragments.charged_cs
    value = view.strategy(
        Candidate(asked, used, info.node.allocatable, price, paid, latency, name in view.drain, added_cs, charged)
    )
    return Option(name, planned, occupied, value, price, terms, added_cs, view.nodes is not None, fragments)


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
