"""What a node costs one pod in latency, by named terms: integers from what the snapshot and the plan hold, for the greedy walk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from extender.binpacking.hops import HOP
from extender.binpacking.images import missing_points
from extender.binpacking.load_penalty import load_penalty
from extender.cluster.node_load import PERMILLE, busy_cpu
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.guidance import NO_GUIDANCE, Guidance
from stowplan.model.node import Node
from stowplan.model.placement import Service, service_of, spot_pool
from stowplan.model.pod import PodSignature
from stowplan.model.resources import Amounts
from stowplan.model.workload_class import WorkloadClass

Terms = tuple[tuple[str, int], ...]
"""Names and points (permille of a node's CPU above the bound, or what is held equal to it); only those that are not zero."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What of a pod decides its latency terms and limits; made once a decision."""

    service: Service | None = None
    bound: int = PERMILLE
    weight_percent: int = 0
    """Weight of latency against money (packing and price), in percent; 0 where the class has none, or the pod no class."""
    images: tuple[str, ...] = ()
    """Those of which the plan knows that some node has them."""
    zone_shares: tuple[Mapping[str, int], ...] = ()
    """For each service that it talks to: zone -> permille of its pods."""
    guidance: Guidance = field(default=NO_GUIDANCE)


UNFEELING: Final = Sensitivity()
"""Of a pod whose latency and limits do not matter to the question."""


def sensitivity(signature: PodSignature, classes: Mapping[str, WorkloadClass], guidance: Guidance) -> Sensitivity:
    """The sensitivity of a pod."""
    service = service_of(signature) if guidance.rooms else None
    own = classes.get(signature.workload_class.split(".", 1)[0])
    if own is None or own.scheduling.weights.latency == 0:
        return Sensitivity(service=service, guidance=guidance)
    weights = own.scheduling.weights
    return Sensitivity(
        service=service,
        bound=own.scheduling.max_node_load_percent * 10,
        weight_percent=weights.latency * 100 // max(1, weights.pack + weights.cost),
        images=tuple(name for name in signature.images if name in guidance.image_sizes),
        zone_shares=tuple(guidance.zone_shares[peer] for peer in signature.talks_to if peer in guidance.zone_shares),
        guidance=guidance,
    )


def latency_terms(of: Sensitivity, asked: Amounts, used: Amounts, node: Node, snapshot: Snapshot) -> Terms:
    """The terms of one more pod on a node whose requests (reservations included) are `used`."""
    if not of.weight_percent:
        return ()
    capacity = node.allocatable.get("cpu", 0)
    busy = busy_cpu(used, capacity, snapshot.loads.get(node.name)) + asked.get("cpu", 0)
    load = load_penalty(-(-busy * PERMILLE // capacity), of.bound, 1) if capacity > 0 else 0
    images = missing_points(of.images, node.images, of.guidance.image_sizes) if of.images else 0
    hops = sum(HOP * (PERMILLE - shares.get(node.zone, 0)) // PERMILLE for shares in of.zone_shares)
    return tuple((name, points) for name, points in (("load", load), ("images", images), ("hops", hops)) if points)


def at_limit(of: Sensitivity, info: NodeInfo) -> bool:
    """Whether the node, or its spot pool, has as many pods of the service as the plan allows."""
    room = of.guidance.rooms.get(of.service) if of.service is not None else None
    if room is None:
        return False
    if spot_pool(info.node) in room.full_pools:
        return True
    if not room.per_node:
        return False
    return sum(count for s, count in info.residents.items() if service_of(s) == of.service) >= room.per_node
