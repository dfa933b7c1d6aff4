"""From a snapshot to a plan: instance, greedy, solver, validation, and the better of the two."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from extender.binpacking.bounds import opening_bound
from extender.binpacking.discomfort import terms_of
from extender.binpacking.expected_lives import ExpectedLives
from extender.binpacking.feasibility import Packing, Slots, replay
from extender.binpacking.first_fit_decreasing import Opening, first_fit_decreasing
from extender.binpacking.guiding import guidance_of
from extender.binpacking.instance import Instance, build_instance
from extender.binpacking.objectives import Budget, score
from extender.binpacking.prices import total_worth
from extender.binpacking.refusal import Refusal, RefusalReason
from extender.binpacking.solver import Limits, Result, Solution, improve
from extender.binpacking.validation import Verdict, validate
from extender.cluster.snapshot import Snapshot
from extender.lifetimes.outlook import Outlook
from extender.plan import Plan, Unplaced
from stowplan.model.pod import PodSignature
from stowplan.model.resources import Shortfall
from stowplan.model.workload_class import WorkloadClass

GREEDY: Final = "greedy"
CP_SAT: Final = "cp-sat"
_LARGE: Final = 100_000
"""Pairs of item and bin above which one greedy packing per seed has to do."""


def make_plan(  # noqa: PLR0913 - three inputs, all else named options with defaults
    snapshot: Snapshot,
    previous: Plan | None,
    classes: Mapping[str, WorkloadClass],
    *,
    time_limit_s: float = 1.0,
    seed: int = 1,
    work_limit: float | None = None,
    workers: int = 1,
    latency_budget_permille: int = 0,
    outlook: Outlook | None = None,
    on_baseline: Callable[[Plan], None] | None = None,
) -> Plan:
    """Plan all pending pods of a snapshot.

    The published slots passed the independent validator, and are at least as good as the greedy's in the order: unplaced by priority, price
    of newly used nodes, headroom and preferences, distance to the previous plan.

    Args:
        snapshot: the cluster.
        previous: the plan in force; its slots are kept where nothing better speaks against it.
        classes: workload classes by name; pods of other classes have no headroom terms.
        time_limit_s: seconds of solver time; 0 or less plans greedily.
        seed: of the solver's randomness.
        work_limit: deterministic work per stage in place of `time_limit_s`; equal input then gives an equal plan (with one worker).
        workers: threads of the solver.
        latency_budget_permille: how much of the least price of all nodes in use may be spent on the soft terms; 0 spends nothing.
        outlook: what is expected of nodes and pods; pods that wait are then placed by how long they will stay (`ExpectedLives`).
        on_baseline: called with the greedy plan before the solver starts: a burst must not wait for the solver.
    """
    started = time.monotonic()
    instance = build_instance(snapshot, classes)
    standing = sum(b.price for b in instance.bins if not b.empty)
    budget = Budget(standing, latency_budget_permille)
    kept = _slots_by_index(instance, previous)
    lives = ExpectedLives(instance, outlook) if outlook is not None and instance.items else None
    first = greedy(instance, kept)
    baseline = _checked(instance, snapshot, lives.improved(first) if lives is not None else first)
    early = _as_plan(snapshot, baseline, GREEDY, None, started)
    result: Result | None = None
    if instance.items and (time_limit_s > 0 or work_limit is not None):
        if on_baseline is not None:
            on_baseline(early)
        result = improve(instance, baseline[0], kept, Limits(time_limit_s, work_limit, workers, seed), budget)
    if isinstance(result, Solution):
        found = replay(instance, result.slots)
        solved = _checked(instance, snapshot, lives.improved(found) if lives is not None else found)
        if _better(solved[0], baseline[0], kept, budget, lives):
            return _as_plan(snapshot, solved, CP_SAT, result, started)
    _, bound = _cost_and_bound(baseline[0], result)
    return replace(early, bound_micro_usd_per_hour=bound, solve_ms=_milliseconds_since(started))


def _better(one: Packing, other: Packing, kept: Slots, budget: Budget, lives: ExpectedLives | None) -> bool:
    """Whether a packing is better. At equal price expected lives and comfort are weighed in money, as a request weighs them."""
    scores = score(one, kept), score(other, kept)
    if lives is None or budget.permille or scores[0][:2] != scores[1][:2]:
        return budget.prefers(*scores)
    return lives.cost(one) < lives.cost(other)


def _as_plan(
    snapshot: Snapshot, best: tuple[Packing, Verdict], source: str, result: Result | None, started: float
) -> Plan:
    packing, verdict = best
    cost, bound = _cost_and_bound(packing, result)
    return Plan(
        generation=snapshot.generation,
        slots=verdict.slots(),
        fill_order=_fill_order(packing),
        unplaced=_unplaced(packing, snapshot),
        source=source,
        cost_micro_usd_per_hour=cost,
        bound_micro_usd_per_hour=bound,
        solve_ms=_milliseconds_since(started),
        soft_terms=terms_of(packing),
        guidance=guidance_of(packing),
    )


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def greedy(instance: Instance, kept: Slots) -> Packing:
    """The best of a few greedy packings: two ways of opening nodes, with and without the last plan's slots."""
    seeds: list[Slots | None] = [None, kept] if kept else [None]
    large = len(instance.items) * len(instance.bins) > _LARGE
    openings = (Opening.PER_POD,) if large else tuple(Opening)
    packings = [first_fit_decreasing(instance, opening, seed) for seed in seeds for opening in openings]
    return min(packings, key=lambda packing: score(packing, kept))


def _slots_by_index(instance: Instance, plan: Plan | None) -> Slots:
    """The slots of a plan in terms of the instance; nodes and signatures that are gone are left out."""
    if plan is None:
        return {}
    nodes = {b.node.name: index for index, b in enumerate(instance.bins)}
    items = {item.signature: index for index, item in enumerate(instance.items)}
    eligible = [frozenset(bins) for bins in instance.eligible]
    return {
        items[signature]: {
            nodes[name]: count for name, count in slots.items() if nodes.get(name) in eligible[items[signature]]
        }
        for signature, slots in plan.slots.items()
        if signature in items
    }


def slots_by_name(packing: Packing) -> dict[PodSignature, dict[str, int]]:
    """The slots of a packing in terms of the plan, in the order of placement."""
    slots: dict[PodSignature, dict[str, int]] = {}
    for item, node in packing.order:
        name = packing.instance.bins[node].node.name
        nodes = slots.setdefault(packing.instance.items[item].signature, {})
        nodes[name] = nodes.get(name, 0) + 1
    return slots


def _checked(instance: Instance, snapshot: Snapshot, packing: Packing) -> tuple[Packing, Verdict]:
    """The packing without what the validator refuses, and the validator's verdict."""
    verdict = validate(snapshot, slots_by_name(packing), instance.classes)
    if not verdict.dropped:
        return packing, verdict
    nodes = {b.node.name: index for index, b in enumerate(instance.bins)}
    items = {item.signature: index for index, item in enumerate(instance.items)}
    admitted = Packing(instance)
    for signature, name in verdict.order:
        admitted.add(items[signature], nodes[name])
    return admitted, verdict


def _cost_and_bound(packing: Packing, result: Result | None) -> tuple[int, int]:
    instance = packing.instance
    standing = sum(b.price for b in instance.bins if not b.empty)
    opened = sum(instance.bins[node].price for node in packing.opened)
    bound = opening_bound(instance, {item: packing.placed(item) for item in range(len(instance.items))})
    if isinstance(result, Solution) and result.complete:
        bound = max(bound, result.cost_bound)
    return standing + opened, standing + min(bound, opened)


def _fill_order(packing: Packing) -> tuple[str, ...]:
    """Nodes in use by worth of what is requested there for their price, fullest first; then empty ones, cheapest capacity first."""
    in_use: list[tuple[int, str]] = []
    empty: list[tuple[int, str]] = []
    for index, place in enumerate(packing.instance.bins):
        node = place.node
        if node.unschedulable or not node.ready:
            continue
        capacity = max(1, place.worth)
        if place.empty and not packing.on_bin.get(index):
            empty.append((place.price * 1000 // capacity, node.name))
        else:
            left = total_worth(packing.free[index]) if packing.on_bin.get(index) else place.worth_free
            filled = capacity - left
            in_use.append((-filled * 1000 // capacity, node.name))
    return tuple(name for _, name in sorted(in_use) + sorted(empty))


def _unplaced(packing: Packing, snapshot: Snapshot) -> tuple[Unplaced, ...]:
    instance = packing.instance
    found = [
        _reason(packing, item, packing.left(item)) for item in range(len(instance.items)) if packing.left(item) > 0
    ]
    left_alone = [
        Unplaced(signature, count, RefusalReason.LEFT_TO_SCHEDULER.value, len(snapshot.nodes))
        for signature, count in snapshot.pending.items()
        if signature.unplannable and count > 0
    ]
    return (*found, *left_alone)


def _reason(packing: Packing, item: int, count: int) -> Unplaced:
    """The refusal that most nodes gave, with the numbers of the node that came nearest; a group that falls short, where no node is why."""
    refusals: Counter[Refusal] = Counter(packing.instance.refusals[item])
    for node in packing.instance.eligible[item]:
        refusal = packing.refuses(item, node)
        if refusal is not None:
            refusals[refusal] += 1
    by_reason: Counter[str] = Counter()
    for refusal, nodes in refusals.items():
        by_reason[refusal.reason.value] += nodes
    for rule in packing.instance.gangs:
        if item in rule.items and (rule.waiting < rule.needed or not by_reason):
            lacking = Shortfall(f"pods of group {rule.group[1]}", rule.needed, 0, rule.waiting)
            return Unplaced(packing.instance.items[item].signature, count, RefusalReason.GANG.value, 0, (lacking,))
    if not by_reason:
        return Unplaced(packing.instance.items[item].signature, count, RefusalReason.NO_NODES.value, 0)
    reason, nodes = min(by_reason.items(), key=lambda entry: (-entry[1], entry[0]))
    nearest = min((r.shortfalls for r in refusals if r.reason.value == reason), key=_distance)
    return Unplaced(packing.instance.items[item].signature, count, reason, nodes, nearest)


def _distance(shortfalls: tuple[Shortfall, ...]) -> tuple[int, int, str]:
    """How far from fitting: the number of resources short, then the missing share in thousandths of what is asked."""
    missing = sum((s.used + s.asked - s.capacity) * 1000 // max(1, s.asked) for s in shortfalls)
    return (len(shortfalls), missing, repr(shortfalls))
