"""Plans of seeded backlogs under a growing latency budget: what headroom costs where the solver may buy it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from extender.binpacking.planning import make_plan
from extender.cluster.snapshot import Snapshot
from extender.plan import Plan
from perf.instances import Backlog, backlog, opened_price
from perf.tradeoff.loads import Loads
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.money import dollars

BUDGETS: Final = (0, 5, 10, 20, 50, 100)
"""Permille of the least price of all nodes in use."""
SIZE: Final = Backlog(200, 300)
"""A burst that opens many nodes: standing nodes are nearly full, and what is bought for headroom shows."""
SEEDS: Final = (1, 2, 3)
_WORK: Final = 1.0
"""Deterministic units a stage, so that a curve can be made again on any machine."""


def curve(budgets: Sequence[int] = BUDGETS, seeds: Sequence[int] = SEEDS, size: Backlog = SIZE) -> list[dict[str, Any]]:
    """One row a budget, over all seeds: price opened and in all, and the loads of the nodes that got pods of the plan."""
    return [_row(budget, seeds, size) for budget in budgets]


def _row(budget: int, seeds: Sequence[int], size: Backlog) -> dict[str, Any]:
    opened = cost = bound = latency = unplaced = 0
    loads = Loads()
    for seed in seeds:
        snapshot = backlog(size, seed)
        plan = make_plan(
            snapshot, None, BUILTIN_CLASSES, time_limit_s=0, work_limit=_WORK, latency_budget_permille=budget
        )
        opened += opened_price(snapshot, [name for nodes in plan.slots.values() for name in nodes])
        cost += plan.cost_micro_usd_per_hour
        bound += plan.bound_micro_usd_per_hour
        latency += plan.soft_terms["load"]
        unplaced += sum(entry.count for entry in plan.unplaced)
        loads.add(_loads(snapshot, plan))
    return {
        "budget_permille": budget,
        "usd_per_hour": round(dollars(cost), 4),
        "opened_usd_per_hour": round(dollars(opened), 4),
        "bound_usd_per_hour": round(dollars(bound), 4),
        "latency_cost": latency,
        "unplaced": unplaced,
        **loads.summary(),
    }


def _loads(snapshot: Snapshot, plan: Plan) -> list[int]:
    """Permille of CPU requested on the nodes that got pods."""
    added: dict[str, int] = {}
    for signature, nodes in plan.slots.items():
        for name, count in nodes.items():
            added[name] = added.get(name, 0) + count * dict(signature.requests)["cpu"]
    infos = {name: snapshot.nodes[name] for name in added}
    return [
        (info.used.get("cpu", 0) + added[name]) * 1000 // info.node.allocatable["cpu"] for name, info in infos.items()
    ]
