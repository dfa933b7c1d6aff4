"""What the plan saves: price of the newly opened nodes, against packers without a plan, on the same instances."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from extender.binpacking.planning import make_plan
from perf.instances import Backlog, backlog, opened_price
from perf.packers import BASELINES
from stowplan.model.builtin_classes import BUILTIN_CLASSES

SIZES = (Backlog(50, 100), Backlog(200, 500), Backlog(500, 1000))
SHORT_SIZES = SIZES[:2]


@dataclass(frozen=True, slots=True)
class Sample:
    """One instance packed by all."""

    size: Backlog
    seed: int
    opened: dict[str, int]
    """Packer -> micro-dollars an hour of newly opened nodes."""
    placed: dict[str, int]
    gap_permille: int
    plan_ms: int


def measure(sizes: Iterable[Backlog], seeds: Iterable[int], time_limit_s: float = 1.0) -> list[Sample]:
    """Pack every instance with the plan and with each baseline."""
    wanted = list(seeds)
    return [_sample(size, seed, time_limit_s) for size in sizes for seed in wanted]


def _sample(size: Backlog, seed: int, time_limit_s: float) -> Sample:
    snapshot = backlog(size, seed)
    started = time.perf_counter()
    plan = make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=time_limit_s, seed=seed)
    plan_ms = round((time.perf_counter() - started) * 1000)
    placements = {name: packer(snapshot) for name, packer in BASELINES.items()}
    placements["plan"] = [node for slots in plan.slots.values() for node, count in slots.items() for _ in range(count)]
    return Sample(
        size,
        seed,
        {name: opened_price(snapshot, nodes) for name, nodes in placements.items()},
        {name: len(nodes) for name, nodes in placements.items()},
        plan.gap_permille,
        plan_ms,
    )


def summary(samples: list[Sample]) -> list[dict[str, Any]]:
    """Per size: the mean price opened by each packer relative to most-allocated, in thousandths, and the plan's gap and time."""
    rows = []
    for size in dict.fromkeys(sample.size for sample in samples):
        of_size = [sample for sample in samples if sample.size == size]
        totals = {name: sum(s.opened[name] for s in of_size) for name in of_size[0].opened}
        rows.append(
            {
                "instance": str(size),
                "seeds": len(of_size),
                "opened_relative_to_most_allocated_permille": {
                    name: total * 1000 // max(1, totals["most-allocated"]) for name, total in totals.items()
                },
                "unplaced": {name: sum(size.pods - s.placed[name] for s in of_size) for name in totals},
                "gap_permille_mean": sum(s.gap_permille for s in of_size) // len(of_size),
                "plan_ms_max": max(s.plan_ms for s in of_size),
            }
        )
    return rows
