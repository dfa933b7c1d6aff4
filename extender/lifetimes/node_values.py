"""What the planner publishes about nodes, so that any node offered can be valued with a dot product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.survival import Expectations


@dataclass(frozen=True, slots=True)
class NodeValues:
    """Learned up to a generation of the cache. The receiver owns it: the curves are brought up to date in place."""

    generation: int
    rows: Mapping[str, int]
    """Node -> row of the curves; nodes that are not named are empty."""
    curves: NodeCurves
    expectations: Expectations
