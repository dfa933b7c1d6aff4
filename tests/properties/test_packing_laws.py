"""Laws of every plan, on generated clusters. Deterministic work limits stand in for wall time."""

from __future__ import annotations

import dataclasses
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from extender.binpacking.candidates import choose
from extender.binpacking.discomfort import discomfort
from extender.binpacking.feasibility import Packing, Slots
from extender.binpacking.instance import build_instance
from extender.binpacking.objectives import headroom
from extender.binpacking.planning import greedy, make_plan, slots_by_name
from extender.binpacking.validation import validate
from extender.binpacking.variables import PackingVariables
from extender.cluster.snapshot import Snapshot
from extender.plan import Plan
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from tests.support.clusters import Freedom, make_info, make_node, snapshots
from tests.support.independent_checker import NaiveCluster, broken_gangs, replay

WORK = 0.1


def plan_of(snapshot: Snapshot, previous: Plan | None = None) -> Plan:
    return make_plan(snapshot, previous, BUILTIN_CLASSES, time_limit_s=0, work_limit=WORK)


@given(snapshots())
def test_no_plan_contains_a_placement_that_the_filters_refuse(snapshot: Snapshot) -> None:
    slots = plan_of(snapshot).slots
    assert replay(snapshot, slots) == []
    assert broken_gangs(snapshot, slots) == set()


@given(snapshots())
def test_the_greedy_alone_contains_no_refused_placement(snapshot: Snapshot) -> None:
    packing = greedy(build_instance(snapshot, BUILTIN_CLASSES), {})
    assert replay(snapshot, slots_by_name(packing)) == []
    assert broken_gangs(snapshot, slots_by_name(packing)) == set()


@given(snapshots(), st.randoms(use_true_random=False))
def test_every_single_verdict_is_that_of_the_filters(snapshot: Snapshot, rng: Random) -> None:
    """Exact both ways: what is refused would be refused by kube-scheduler, what is admitted would be admitted, at every step."""
    instance = build_instance(snapshot, BUILTIN_CLASSES)
    packing = Packing(instance)
    naive = NaiveCluster.of(snapshot)
    for _ in range(6):
        admitted = []
        for item, entry in enumerate(instance.items):
            for node, place in enumerate(instance.bins):
                refused = node not in instance.eligible[item] or packing.refuses(item, node) is not None
                assert refused == bool(naive.refusals(entry.signature, place.node.name)), (item, place.node.name)
                if not refused and packing.left(item):
                    admitted.append((item, node))
        if not admitted:
            break
        item, node = rng.choice(admitted)
        packing.add(item, node)
        naive.pods.append((instance.items[item].signature, instance.bins[node].node.name))


@given(snapshots(Freedom(gangs=False)))
def test_the_validator_judges_one_pod_as_the_filters_do(snapshot: Snapshot) -> None:
    naive = NaiveCluster.of(snapshot)
    for signature in snapshot.pending:
        for name in snapshot.nodes:
            admitted = validate(snapshot, {signature: {name: 1}}, BUILTIN_CLASSES).order != ()
            assert admitted == (naive.refusals(signature, name) == [])


@given(snapshots())
def test_slots_and_unplaced_add_up_to_what_waits(snapshot: Snapshot) -> None:
    plan = plan_of(snapshot)
    for signature, count in snapshot.pending.items():
        unplaced = sum(u.count for u in plan.unplaced if u.signature == signature)
        assert sum(plan.slots.get(signature, {}).values()) + unplaced == count


@given(snapshots())
def test_the_plan_is_no_worse_than_the_greedy_one(snapshot: Snapshot) -> None:
    planned = plan_of(snapshot)
    baseline = make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0)
    assert _unplaced(planned, snapshot) <= _unplaced(baseline, snapshot)
    if _unplaced(planned, snapshot) == _unplaced(baseline, snapshot):
        assert planned.cost_micro_usd_per_hour <= baseline.cost_micro_usd_per_hour
    assert planned.bound_micro_usd_per_hour <= planned.cost_micro_usd_per_hour


@given(snapshots())
def test_equal_input_gives_an_equal_plan(snapshot: Snapshot) -> None:
    first, second = plan_of(snapshot), plan_of(snapshot)
    assert dataclasses.replace(first, solve_ms=0) == dataclasses.replace(second, solve_ms=0)


@given(snapshots())
def test_unplaced_pods_carry_a_reason_and_numbers(snapshot: Snapshot) -> None:
    for unplaced in plan_of(snapshot).unplaced:
        assert unplaced.reason
        assert unplaced.nodes <= len(snapshot.nodes)
        if unplaced.reason == "InsufficientResources":
            assert unplaced.shortfalls
            for short in unplaced.shortfalls:
                assert short.used + short.asked > short.capacity


@given(snapshots(Freedom(spread=False, affinity=False, limits=False, gangs=False)), st.integers(1000, 16_000))
def test_an_empty_node_more_never_leaves_more_unplaced(snapshot: Snapshot, cpu: int) -> None:
    extra = make_info(make_node("extra", cpu=cpu, price=1, zone="z1", labels={"pool": "a"}))
    larger = dataclasses.replace(snapshot, nodes={**snapshot.nodes, "extra": extra})
    assert _unplaced(plan_of(larger), snapshot) <= _unplaced(plan_of(snapshot), snapshot)


@given(snapshots())
def test_a_plan_is_kept_when_nothing_has_changed(snapshot: Snapshot) -> None:
    first = plan_of(snapshot)
    again = plan_of(snapshot, first)
    assert _unplaced(again, snapshot) <= _unplaced(first, snapshot)
    assert again.cost_micro_usd_per_hour <= first.cost_micro_usd_per_hour or _unplaced(again, snapshot) < _unplaced(
        first, snapshot
    )


@given(snapshots())
def test_the_model_counts_discomfort_as_the_packing_does(snapshot: Snapshot) -> None:
    instance = build_instance(snapshot, BUILTIN_CLASSES)
    packing = greedy(instance, {})
    placed = _modelled_discomfort(packing, dict(enumerate(packing.slots)))
    nothing = _modelled_discomfort(packing, {})
    assert placed - nothing == discomfort(packing) - discomfort(Packing(instance))


def _modelled_discomfort(packing: Packing, slots: Slots) -> int:
    """The third stage's smallest value with all counts fixed, without any constraint."""
    variables = PackingVariables(packing.instance, choose(packing.instance, [dict(enumerate(packing.slots))]))
    for item, nodes in enumerate(variables.candidates.bins):
        for node in nodes:
            variables.fix(item, node, slots.get(item, {}).get(node, 0))
    variables.model.minimize(headroom(variables))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    assert solver.solve(variables.model) == cp_model.OPTIMAL
    return round(solver.objective_value)


def _unplaced(plan: Plan, snapshot: Snapshot) -> tuple[int, ...]:
    """Unplaced pods by descending priority."""
    priorities = sorted({signature.priority for signature in snapshot.pending}, reverse=True)
    return tuple(sum(u.count for u in plan.unplaced if u.signature.priority == p) for p in priorities)
