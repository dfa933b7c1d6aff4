"""What a plan knows of the whole cluster and a single decision needs: looked up, never computed, on a request path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stowplan.model.placement import Service


@dataclass(frozen=True, slots=True)
class ReplicaRoom:
    """Where a limit of replicas leaves room once the plan is carried out."""

    per_node: int = 0
    """Most pods of the service on one node; 0 is no limit."""
    full_pools: frozenset[str] = frozenset()
    """Spot pools that hold as many pods of the service as they may."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """By service, and for all."""

    rooms: Mapping[Service, ReplicaRoom] = field(default_factory=dict)
    zone_shares: Mapping[Service, Mapping[str, int]] = field(default_factory=dict)
    """Service that others talk to -> zone -> share of its pods there, in permille."""
    image_sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of images that waiting pods need and some node has."""


NO_GUIDANCE = Guidance()
