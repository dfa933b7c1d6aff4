"""A plan: how many pods of which signature go to which node. Immutable; published by one assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from extender.guidance import NO_GUIDANCE, Guidance
from stowplan.model.pod import Pod, PodSignature
from stowplan.model.resources import Shortfall

SHOWN_ORDER: Final = 10
"""Nodes of the fill order that people are shown."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Pods that the plan could not place, and why: the refusal that most nodes gave, and the nearest shortfall in numbers."""

    signature: PodSignature
    count: int
    reason: str
    nodes: int
    """Nodes that refused for this reason."""
    shortfalls: tuple[Shortfall, ...] = ()


@dataclass(frozen=True, slots=True)
class Rescue:
    """One pod of a signature that fits nowhere would fit on `node` if these pods moved to those nodes (`extender.moves.rescue`)."""

    signature: PodSignature
    node: str
    moves: tuple[tuple[Pod, str], ...]
    """Pod and the node on which it fits then; the scheduler decides in the end."""

    def __str__(self) -> str:
        moved = ", ".join(f"{pod.namespace}/{pod.name} to {target}" for pod, target in self.moves)
        return f"it would fit on {self.node} if moved were: {moved}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Slots by signature, and how good they are."""

    generation: int
    """Generation of the snapshot it was made from."""
    slots: Mapping[PodSignature, Mapping[str, int]] = field(default_factory=dict)
    """Signature -> node name -> pods. The order of the nodes is the order of preference."""
    fill_order: tuple[str, ...] = ()
    """All schedulable nodes, those to fill first at the front and those to starve (empty, dear) at the end; the first `SHOWN_ORDER`
    of them where the server goes by expected cost: 5,000 names with each plan kept its requests waiting for a millisecond."""
    drain: tuple[str, ...] = ()
    """The drain set: nodes in use that come last among those, so that they run empty (`extender.drain_set`)."""
    rescues: tuple[Rescue, ...] = ()
    """Rearrangements that would make room for pods that are unplaced."""
    unplaced: tuple[Unplaced, ...] = ()
    source: str = "greedy"
    """`cp-sat` or `greedy`: which incumbent was published."""
    cost_micro_usd_per_hour: int = 0
    """Price of all nodes in use once the plan is carried out, with the pods that owners still have to create."""
    bound_micro_usd_per_hour: int = 0
    """Proven lower bound of that price for the same placed pods; equal to the cost where optimal."""
    solve_ms: int = 0
    early: bool = False
    """Published while the solver looks for a better one, which follows."""
    soft_terms: Mapping[str, int] = field(default_factory=dict)
    """What the slots cost beyond money, by the name of the soft term; only differences between plans mean anything."""
    guidance: Guidance = NO_GUIDANCE
    """For pods without a slot."""

    @property
    def placed(self) -> int:
        """Number of slots: for pods that wait, and for pods that their owners still have to create."""
        return sum(sum(nodes.values()) for nodes in self.slots.values())

    @property
    def gap_permille(self) -> int:
        """Relative distance of cost and bound, in thousandths of the cost."""
        cost = self.cost_micro_usd_per_hour
        return 0 if cost == 0 else (cost - self.bound_micro_usd_per_hour) * 1000 // cost


EMPTY_PLAN = Plan(generation=0)
