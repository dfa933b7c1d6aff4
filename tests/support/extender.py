"""Builders of nodes, pods and plans for the extender's tests. Amounts are in the units of the resource model (millicores, bytes)."""

from __future__ import annotations

import dataclasses
from typing import Any

from extender.cluster.cache import Cache
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.deciding.decider import Clocks, Decider
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.metrics import ExtenderMetrics
from extender.plan import EMPTY_PLAN
from extender.settings import ExtenderSettings
from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.node import Node
from stowplan.model.pod import Pod, PodSignature

GIB = 2**30


def signature(owner: str = "web", cpu: int = 1000, memory: int = GIB, **changes: Any) -> PodSignature:
    """A signature of our scheduler in namespace `shop`, owned by `ReplicaSet/<owner>`."""
    plain = PodSignature(
        namespace="shop",
        labels=(("app", owner),),
        requests=(("cpu", cpu), ("memory", memory), ("pods", 1)),
        owner_key=f"ReplicaSet/{owner}",
        scheduler_name=SCHEDULER_NAME,
    )
    return dataclasses.replace(plain, **changes)


def pod(uid: str = "u1", sig: PodSignature | None = None, node: str = "", **changes: Any) -> Pod:
    """A pod, pending unless it has a node."""
    plain = Pod(uid=uid, namespace="shop", name=f"pod-{uid}", signature=sig or signature(), node_name=node)
    return dataclasses.replace(plain, **changes)


def node(name: str, cpu: int = 4000, memory: int = 16 * GIB, price: int = 192_000, **changes: Any) -> Node:
    """A ready node with 110 pod slots; the default shape and price are those of an m5.xlarge."""
    plain = Node(
        name=name, allocatable={"cpu": cpu, "memory": memory, "pods": 110}, price_micro_usd_per_hour=price, ready=True
    )
    return dataclasses.replace(plain, **changes)


def info(of: Node, residents: dict[PodSignature, int] | None = None) -> NodeInfo:
    """The node with these residents and the sum of their requests."""
    used: dict[str, int] = {}
    for sig, count in (residents or {}).items():
        for resource, amount in sig.requests:
            used[resource] = used.get(resource, 0) + count * amount
    return NodeInfo(of, {r: n for r, n in used.items() if n}, residents or {})


def snapshot(*infos: NodeInfo, generation: int = 1) -> Snapshot:
    """A snapshot of these nodes with nothing pending."""
    return Snapshot(generation=generation, nodes={i.node.name: i for i in infos}, pending={})


class Clock:
    """Time that moves when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


def cache_of(*infos: NodeInfo) -> Cache:
    """A cache of these nodes and their residents."""
    cache = Cache()
    for there in infos:
        cache.upsert_node(there.node)
        for sig, count in there.residents.items():
            for i in range(count):
                cache.upsert_pod(pod(f"{there.node.name}-{sig.owner_key}-{i}", sig, there.node.name))
    return cache


def decider(*infos: NodeInfo, **options: Any) -> Decider:
    """A decider over these nodes and their residents, synced, without a plan; both channels act.

    `options` replace arguments of the Decider.
    """
    cache = cache_of(*infos)
    reservations = options.pop("reservations") if "reservations" in options else Reservations(Clock())
    parts: dict[str, Any] = {
        "settings": ExtenderSettings(channel="both"),
        "cache": cache,
        "ledger": SlotLedger(reservations),
        "reservations": reservations,
        "plan": lambda: EMPTY_PLAN,
        "trouble": lambda: None,
        "metrics": ExtenderMetrics(Clock()),
        "clocks": Clocks(Clock(), Clock()),
        **options,
    }
    return Decider(**parts)
