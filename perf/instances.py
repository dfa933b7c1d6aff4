"""Seeded backlogs: pods that wait on a cluster of mostly full nodes with real prices."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from extender.cluster.snapshot import NodeInfo, Snapshot
from stowplan.catalog.instance_types import InstanceType, load_catalog
from stowplan.model.keys import HOSTNAME, SCHEDULER_NAME, ZONE
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature

TYPES: Final = ("m5.large", "m5.2xlarge", "c5.xlarge", "c5.4xlarge", "r5.xlarge")
_SHAPES: Final = ((250, 512), (500, 2048), (1000, 1792), (1000, 4096), (2000, 3584), (3500, 7168))
"""Pods: millicores and MiB; 1:1.75 is the Azure trace's shape, the others come from the size table."""
_OPEN_PERCENT: Final = 80
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Backlog:
    """How large an instance is."""

    pods: int
    nodes: int

    def __str__(self) -> str:
        return f"{self.pods} / {self.nodes}"


def node_of(name: str, kind: InstanceType, zone: str) -> Node:
    """A ready node of an EC2 type."""
    return Node(
        name,
        {
            "cpu": kind.allocatable_cpu_millicores,
            "memory": kind.allocatable_memory_bytes,
            "pods": kind.max_pods,
        },
        {HOSTNAME: name, ZONE: zone},
        price_micro_usd_per_hour=kind.price_micro_usd_per_hour,
        instance_type=kind.name,
        zone=zone,
    )


def signature_of(app: str, cpu: int, mebibytes: int, *, namespace: str = "perf") -> PodSignature:
    """Pods of one Deployment."""
    return PodSignature(
        namespace,
        (("app", app),),
        (("cpu", cpu), ("memory", mebibytes * _MIB), ("pods", 1)),
        owner_key=f"ReplicaSet/{app}",
        workload_class="standard",
        scheduler_name=SCHEDULER_NAME,
    )


def backlog(size: Backlog, seed: int) -> Snapshot:
    """An instance: four nodes of five are open and nearly full, the others empty; pods wait in groups of up to 40."""
    chance = random.Random(seed)  # noqa: S311 - a seeded instance, not a secret
    catalog = load_catalog()
    nodes = {}
    for index in range(size.nodes):
        kind = catalog[chance.choice(TYPES)]
        node = node_of(f"node-{index:05d}", kind, f"zone-{index % 3}")
        nodes[node.name] = _filled(node, chance) if chance.randrange(100) < _OPEN_PERCENT else NodeInfo(node, {}, {})
    return Snapshot(1, nodes, _waiting(size.pods, chance))


def _filled(node: Node, chance: random.Random) -> NodeInfo:
    """The node with one resident that leaves 5 to 30 percent of it."""
    percent = chance.randint(70, 95)
    resident = signature_of(
        "resident",
        node.allocatable["cpu"] * percent // 100,
        node.allocatable["memory"] * percent // 100 // _MIB,
    )
    return NodeInfo(node, dict(resident.requests), {resident: 1})


def _waiting(pods: int, chance: random.Random) -> dict[PodSignature, int]:
    groups: dict[PodSignature, int] = {}
    left = pods
    while left:
        count = min(left, chance.randint(1, 40))
        groups[signature_of(f"app-{len(groups)}", *chance.choice(_SHAPES))] = count
        left -= count
    return groups


def opened_price(snapshot: Snapshot, placements: Sequence[str]) -> int:
    """Micro-dollars an hour of the nodes that were empty and are not any more."""
    opened = {name for name in placements if not snapshot.nodes[name].used}
    return sum(snapshot.nodes[name].node.price_micro_usd_per_hour for name in opened)
