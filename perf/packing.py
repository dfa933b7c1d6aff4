"""What the plan saves: price of the newly opened nodes, against packers without a plan, on the same instances."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from extender.binpacking.planning import make_plan
from perf.instances import Backlog, backlog, opened_price
from perf.packers import BASELINES
from stowplan.model.builtin_classes import BUILTIN_CLASSES


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
