"""A node as scheduling sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from stowplan.model.selectors import Taint


@dataclass(slots=True)
class Node:
    """One node: what it offers, what keeps pods away and what an hour of it costs."""

    name: str
    allocatable: dict[str, int]
    """Including `pods`."""
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    ready: bool = True
    price_micro_usd_per_hour: int = 0
    instance_type: str = ""
    capacity_type: str = "on-demand"
    zone: str = ""
    images: tuple[tuple[str, int], ...] = ()
    """Names of the images on it that are large enough to matter, and their bytes."""
    kept: str = ""
    """Not empty where somebody wants the node kept: the annotation that says so (`stowplan.model.disruption`)."""
