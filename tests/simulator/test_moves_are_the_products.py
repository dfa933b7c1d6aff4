"""What the simulator's policy moves is what `stowplan moves` would propose on the same cluster."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.budgets import Budgets, DisruptionBudget
from extender.moves.consolidation import Proposal, propose
from extender.moves.emptying import Decision, Limits
from simulator.cluster import Cluster
from simulator.engine import Replay
from simulator.policies.stowplan_moves import StowplanWithMoves
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.node import Node
from stowplan.model.pod import Pod, PodSignature, ReplicaLimit
from stowplan.model.selectors import Expression, LabelSelector

GIB = 2**30
KINDS = (
    NodeRow("small", 4000, 16 * GIB, price_micro_usd_per_hour=192_000, max_pods=8),
    NodeRow("large", 8000, 16 * GIB, price_micro_usd_per_hour=340_000, max_pods=20),
)


Answer = list[tuple[str, list[tuple[str, str]]]]
"""Nodes that are emptied, with pods and their targets, in order."""


class Compared(StowplanWithMoves):
    """Shows each of its states to the product, and keeps both answers."""

    def __init__(self, *, waits: bool) -> None:
        super().__init__(waits=waits)
        self.patient = waits
        self.answers: list[tuple[Answer, Answer]] = []

    def decision(self, cluster: Cluster, now: int, budget: int) -> Decision[PodRow]:
        """Decide, and let the product decide."""
        ours = super().decision(cluster, now, budget)
        product = self._product(cluster, now, budget)
        self.answers.append(
            (
                [(_node(e.row), [(pod.name, _node(target)) for pod, target in e.moves]) for e in ours.emptied],
                [(drain.node, [(move.pod.name, move.target) for move in drain.moves]) for drain in product.drains],
            )
        )
        return ours

    def _product(self, cluster: Cluster, now: int, budget: int) -> Proposal:
        slots = [slot for slot in range(cluster.slots) if cluster.active[slot]]
        standing = {slot: [_pod(row, slot) for row in self.residents(slot)] for slot in slots}
        pods = [pod for there in standing.values() for pod in there]
        snapshot = Snapshot(1, {_node(slot): _info(cluster, slot, standing[slot]) for slot in slots}, {})
        seconds = self.seconds_left(np.array(slots, np.int64), now).tolist() if self._occupancy.departed_any else None
        left = None if seconds is None else dict(zip(map(_node, slots), seconds, strict=True))
        owners = {dict(pod.signature.labels)["app"] for pod in pods}
        budgets = Budgets([_one_away(owner) for owner in owners], patient=self.patient)
        limits = Limits(moves=min(budget, 50))
        return propose(snapshot, pods, budgets, BUILTIN_CLASSES, limits, left)


def _node(slot: int) -> str:
    return f"n{slot:04}"


def _pod(row: PodRow, slot: int) -> Pod:
    signature = PodSignature(
        namespace="default",
        labels=(("app", row.owner),),
        requests=(("cpu", row.shape.cpu_millicores), ("memory", row.shape.memory_bytes), ("pods", 1)),
        owner_key=f"ReplicaSet/{row.owner}",
        workload_class=row.workload_class,
        per_node=ReplicaLimit(count=row.max_per_node) if row.max_per_node else None,
    )
    return Pod(uid=f"{row.index:06}", namespace="default", name=row.name, signature=signature, node_name=_node(slot))


def _info(cluster: Cluster, slot: int, pods: Sequence[Pod]) -> NodeInfo:
    kind = cluster.types[cluster.kind[slot]]
    allocatable = {"cpu": kind.cpu_millicores, "memory": kind.memory_bytes, "pods": kind.max_pods}
    node = Node(_node(slot), allocatable, price_micro_usd_per_hour=kind.price_micro_usd_per_hour, ready=True)
    used: dict[str, int] = {}
    residents: dict[PodSignature, int] = {}
    for pod in pods:
        residents[pod.signature] = residents.get(pod.signature, 0) + 1
        for resource, amount in pod.signature.requests:
            used[resource] = used.get(resource, 0) + amount
    return NodeInfo(node, used, residents)


def _one_away(owner: str) -> DisruptionBudget:
    return DisruptionBudget("default", owner, LabelSelector((Expression("app", "In", (owner,)),)), allowed=1)


def trace(seed: int, kind: NodeRow, limit: int) -> Trace:
    """Two days of crowds, services and singles of several sizes; some of class critical, some with at most so many on a node."""
    chance = random.Random(seed)  # noqa: S311 - a seeded trace, not a secret
    rows: list[PodRow] = []
    for arrival in range(0, 2 * 86_400, 1200):
        owner = f"o{chance.randrange(40)}"
        life = chance.choice([900, 900, 5400, 40_000, 200_000])
        workload_class = chance.choice(["", "", "", "", "", "", "critical"]) if life > 5400 else ""
        for _ in range(chance.choice([1, 1, 2, 5])):
            shape = PodShape(chance.choice([500, 1000, 1500]), chance.choice([1, 2, 5]) * GIB)
            departure = arrival + max(1, int(life * chance.uniform(0.5, 1.5)))
            rows.append(
                PodRow(
                    len(rows), f"p{len(rows)}", shape, owner, workload_class=workload_class,
                    max_per_node=limit if int(owner[1:]) % 2 else 0, arrival_s=arrival, departure_s=departure,
                )
            )  # fmt: skip
    return Trace((kind,), tuple(rows), elastic=True, timed=True)


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("seed", "kind", "limit"), [(1, 0, 0), (2, 1, 0), (3, 0, 2)])
def test_both_decide_alike_in_every_round_of_a_replay(seed: int, kind: int, limit: int, *, waits: bool) -> None:
    policy = Compared(waits=waits)

    outcome = Replay(trace(seed, KINDS[kind], limit), policy).run()

    assert len(policy.answers) > 50
    assert outcome.moves > 5
    for ours, products in policy.answers:
        assert ours == products
