"""Plans of small clusters with a known best answer, and what the parts do on the way."""

from __future__ import annotations

import dataclasses

import pytest

from extender.binpacking.bounds import opening_bound
from extender.binpacking.candidates import choose
from extender.binpacking.first_fit_decreasing import Opening, first_fit_decreasing
from extender.binpacking.instance import build_instance
from extender.binpacking.load_penalty import load_penalty
from extender.binpacking.objectives import priority_weights
from extender.binpacking.planning import CP_SAT, GREEDY, make_plan
from extender.binpacking.prices import node_price
from extender.binpacking.validation import validate
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.plan import Plan
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import ZONE
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature, PreferredNodes
from stowplan.model.resources import Shortfall
from stowplan.model.selectors import Expression, NodeSelectorTerm, Taint
from tests.support.clusters import GIB, SHARE, make_info, make_node, make_signature, make_snapshot, spread, term

WEB = make_signature("web")
SMALL = {"cpu": 2000, "memory": 8 * GIB, "price": 100_000}
LARGE = {"cpu": 8000, "memory": 32 * GIB, "price": 360_000}


def plan(snapshot: Snapshot, previous: Plan | None = None) -> Plan:
    return make_plan(snapshot, previous, BUILTIN_CLASSES, time_limit_s=0, work_limit=1.0)


def greedy_plan(snapshot: Snapshot) -> Plan:
    return make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0)


@pytest.mark.parametrize(
    ("nodes", "pending", "cost"),
    [
        # 3 pods of 1000 on the node in use: nothing is opened, only its own price counts
        ([make_info(make_node("a", price=50), {make_signature("old"): 1}), make_node("b", price=1)], {WEB: 3}, 50),
        # one pod: the small node's 100000 a pod beats the large one's 360000
        ([make_node("s", **SMALL), make_node("l", **LARGE)], {WEB: 1}, 100_000),
        # eight pods: 360000 / 8 = 45000 a pod beats 100000 / 2
        ([*(make_node(f"s{i}", **SMALL) for i in range(4)), make_node("l", **LARGE)], {WEB: 8}, 360_000),
        # pods of 3000: only the large node takes them, two of them (2 x 3000 <= 8000)
        ([make_node("s", **SMALL), make_node("l", **LARGE)], {make_signature("big", cpu=3000): 2}, 360_000),
    ],
)
def test_greedy_cost(nodes: list[Node | NodeInfo], pending: dict[PodSignature, int], cost: int) -> None:
    made = greedy_plan(make_snapshot(nodes, pending))
    assert made.placed == sum(pending.values())
    assert made.cost_micro_usd_per_hour == cost
    assert made.source == GREEDY


def test_the_solver_finds_the_optimum_that_the_greedy_misses() -> None:
    """Pods of 4, 4, 3, 3, 3, 3 cores, bins of 10: decreasing sizes give 4+4, 3+3+3, 3; two times 4+3+3 is best."""
    pending = {make_signature("four", cpu=4000, memory=1): 2, make_signature("three", cpu=3000, memory=1): 4}
    snapshot = make_snapshot([make_node(f"n{i}", cpu=10_000, price=100) for i in range(3)], pending)
    assert greedy_plan(snapshot).cost_micro_usd_per_hour == 300
    made = plan(snapshot)
    assert (made.placed, made.source) == (6, CP_SAT)
    assert made.cost_micro_usd_per_hour == 200
    assert made.bound_micro_usd_per_hour == 200
    assert made.gap_permille == 0


def test_the_ways_of_opening_nodes_differ() -> None:
    """Two pods of 3 cores and one of 1: per pod the greedy opens a1 and a2 (49 each) and then b; per worth b alone is cheapest."""
    nodes: list[Node | NodeInfo] = [make_node("a1", cpu=3000, price=49), make_node("a2", cpu=3000, price=49)]
    nodes.append(make_node("b", cpu=7000, price=110))
    pending = {make_signature("three", cpu=3000): 2, make_signature("one", cpu=1000): 1}
    snapshot = make_snapshot(nodes, pending)
    assert len(first_fit_decreasing(build_instance(snapshot, {}), Opening.PER_POD).opened) == 3
    assert plan(snapshot).cost_micro_usd_per_hour == 110


def test_higher_priority_is_placed_first_and_the_rest_says_what_is_short() -> None:
    high, low = make_signature("high", priority=100), make_signature("low", cpu=900, priority=1)
    made = plan(make_snapshot([make_node("n", cpu=3500)], {low: 3, high: 3}))
    assert made.slots == {high: {"n": 3}}
    (unplaced,) = made.unplaced
    assert (unplaced.signature, unplaced.count, unplaced.reason, unplaced.nodes) == (low, 3, "InsufficientResources", 1)
    assert unplaced.shortfalls == (Shortfall("cpu", 900, 3000, 3500),)


def test_one_pod_of_a_priority_outweighs_all_lower_ones() -> None:
    snapshot = make_snapshot([], {make_signature("a", priority=1): 7, make_signature("b", priority=5): 2})
    # one of priority 1 weighs 1; all seven weigh 7; so one of priority 5 weighs 8
    assert priority_weights(build_instance(snapshot, {})) == {1: 1, 5: 8}


@pytest.mark.parametrize(
    ("node", "pod", "reason"),
    [
        (make_node("n", taints=(Taint("t", "", "NoSchedule"),)), WEB, "UntoleratedTaint"),
        (make_node("n", unschedulable=True), WEB, "NotReady"),
        (make_node("n", ready=False), WEB, "NotReady"),
        (make_node("n"), make_signature(node_selector=(Expression("pool", "In", ("x",)),)), "NodeAffinity"),
        (make_node("n"), make_signature(required_nodes=()), "NodeAffinity"),
        (make_node("n"), make_signature(spread=(spread("web"),)), "TopologyKeyMissing"),
        (make_node("n"), make_signature(affinity=(term("db"),)), "PodAffinity"),
        (make_node("n"), make_signature(unplannable="volume"), "LeftToScheduler"),
        (make_node("n", cpu=10), WEB, "InsufficientResources"),
        (  # 24 in all, 12 on each of two devices
            make_node("n", extra={SHARE: 24, "aliyun.com/gpu-count": 2}),
            make_signature("gpu", extra={SHARE: 13}),
            "DeviceShare",
        ),
    ],
)
def test_reasons(node: Node, pod: PodSignature, reason: str) -> None:
    made = plan(make_snapshot([node], {pod: 1}))
    assert made.slots == {}
    assert [(u.reason, u.nodes, u.count) for u in made.unplaced] == [(reason, 1, 1)]


def test_soft_terms_decide_among_equally_priced_nodes() -> None:
    liked = PreferredNodes(NodeSelectorTerm((Expression("disk", "In", ("ssd",)),)), 10)
    nodes: list[Node | NodeInfo] = [make_node("a"), make_node("b", labels={"disk": "ssd"})]
    assert plan(make_snapshot(nodes, {make_signature(preferred_nodes=(liked,)): 1})).slots[
        make_signature(preferred_nodes=(liked,))
    ] == {"b": 1}


def test_soft_spread_is_kept_where_it_costs_nothing() -> None:
    web = make_signature(spread=(spread("web", hard=False),))
    old = make_signature("old", cpu=1)
    nodes: list[Node | NodeInfo] = [make_info(make_node(f"n{z}", zone=f"z{z}"), {old: 1}) for z in range(3)]
    assert plan(make_snapshot(nodes, {web: 3})).slots[web] == {"n0": 1, "n1": 1, "n2": 1}


def test_latency_headroom_spreads_load_where_it_costs_nothing() -> None:
    """Critical pods count load above 55 %: two nodes in use at 50 % each are better than one at 100 %."""
    critical = make_signature("critical", workload_class="critical", cpu=1900)
    old = make_signature("old", cpu=100)
    nodes: list[Node | NodeInfo] = [make_info(make_node(n), {old: 1}) for n in ("a", "b")]
    assert plan(make_snapshot(nodes, {critical: 2})).slots[critical] == {"a": 1, "b": 1}


def test_the_load_penalty_is_convex() -> None:
    # bound 550, knee (550 + 1000) / 2 = 775, weight 60: at 775 60 x 225; at 1000 60 x (450 + 2 x 225)
    assert load_penalty(550, 550, 60) == 0
    assert load_penalty(775, 550, 60) == 13_500
    assert load_penalty(1000, 550, 60) == 54_000


def test_slots_of_the_last_plan_are_kept_where_nothing_speaks_against_it() -> None:
    old = make_signature("old", cpu=1)
    nodes: list[Node | NodeInfo] = [make_info(make_node(n), {old: 1}) for n in ("a", "b", "c")]
    snapshot = make_snapshot(nodes, {WEB: 1})
    assert [plan(snapshot, Plan(0, {WEB: {name: 1}})).slots[WEB] for name in "abc"] == [{"a": 1}, {"b": 1}, {"c": 1}]


def test_the_last_plan_may_name_what_is_gone() -> None:
    previous = Plan(0, {make_signature("gone"): {"n": 1}, WEB: {"gone": 3}})
    assert plan(make_snapshot([make_node("n")], {WEB: 1}), previous).slots == {WEB: {"n": 1}}


def test_fill_order_is_full_nodes_then_cheap_ones_without_cordoned_ones() -> None:
    nodes: list[Node | NodeInfo] = [
        make_info(make_node("half"), {make_signature("x", cpu=2000, memory=8 * GIB): 1}),
        make_info(make_node("full"), {make_signature("x", cpu=4000, memory=16 * GIB): 1}),
        make_node("dear", price=900_000),
        make_node("cheap", price=10_000),
        make_node("cordoned", unschedulable=True),
    ]
    assert plan(make_snapshot(nodes, {})).fill_order == ("full", "half", "cheap", "dear")


def test_daemon_pods_do_not_keep_a_node_in_use() -> None:
    daemon = make_signature("agent", cpu=100, owner_key="DaemonSet/agent")
    nodes: list[Node | NodeInfo] = [make_info(make_node("a", price=7), {daemon: 1}), make_node("b", price=9)]
    made = plan(make_snapshot(nodes, {WEB: 1}))
    assert (made.slots, made.cost_micro_usd_per_hour) == ({WEB: {"a": 1}}, 7)


def test_equal_empty_nodes_are_one_shape_whatever_their_hostname() -> None:
    web = make_signature(anti_affinity=(term("web"),), spread=(spread("web", ZONE),))
    nodes: list[Node | NodeInfo] = [make_node(f"n{i:02}", zone=f"z{i % 2}") for i in range(40)]
    instance = build_instance(make_snapshot(nodes, {web: 3}), {})
    assert len({b.group for b in instance.bins}) == 2  # by zone
    chosen = choose(instance, [])
    assert len(chosen.bins[0]) == 6  # of each zone as many as there are pods
    assert chosen.complete


def test_the_fractional_bound() -> None:
    # 5 pods of 1000; the node in use has 2000 free; 3000 are bought at 100000 per 2000, rounded down: 100000 + 50000
    nodes: list[Node | NodeInfo] = [
        make_info(make_node("a"), {make_signature("old", cpu=2000): 1}),
        *(make_node(f"s{i}", **SMALL) for i in range(3)),
    ]
    assert opening_bound(build_instance(make_snapshot(nodes, {WEB: 5}), {}), {0: 5}) == 150_000


def test_a_node_without_a_price_is_estimated() -> None:
    # 4 cores x 31611 + 16 GiB x 4237 (OpenCost's unit prices)
    assert node_price(make_node("n", price=0)) == 4 * 31_611 + 16 * 4_237


def test_the_validator_drops_and_orders() -> None:
    web = make_signature(spread=(spread("web"),))
    snapshot = make_snapshot([make_node("a", zone="z1"), make_node("b", zone="z2")], {web: 4})
    # 2 and 1 are within skew 1, a third in z1 is not; z1's second pod has to wait for z2's first
    verdict = validate(snapshot, {web: {"a": 3, "b": 1, "nowhere": 1}})
    assert verdict.slots() == {web: {"a": 2, "b": 1}}
    assert verdict.dropped == ((web, "a", 1), (web, "nowhere", 1))
    assert verdict.order == ((web, "a"), (web, "b"), (web, "a"))


def test_the_validator_admits_no_more_pods_than_wait() -> None:
    snapshot = make_snapshot([make_node("a")], {WEB: 1})
    assert validate(snapshot, {WEB: {"a": 2}}).slots() == {WEB: {"a": 1}}


def test_a_zero_request_fits_a_full_node_as_in_kube_scheduler() -> None:
    free = make_signature("free", cpu=0, memory=0)
    full = make_info(make_node("a"), {make_signature("over", cpu=5000): 1})
    assert plan(make_snapshot([full], {free: 2})).slots == {free: {"a": 2}}


def test_an_empty_cluster_and_an_empty_queue() -> None:
    assert plan(make_snapshot([], {})).slots == {}
    assert [u.reason for u in plan(make_snapshot([], {WEB: 2})).unplaced] == ["NoNodes"]


def test_the_generation_is_the_snapshots() -> None:
    assert plan(dataclasses.replace(make_snapshot([], {}), generation=42)).generation == 42


def test_the_greedy_plan_is_handed_out_before_the_solver_starts() -> None:
    # two small nodes hold 2 pods of 1000 each for 100000 apiece; the greedy and the solver agree on the large one for 8
    snapshot = make_snapshot([make_node("s", **SMALL), make_node("l", **LARGE)], {WEB: 8})
    early: list[Plan] = []

    made = make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0, work_limit=1.0, on_baseline=early.append)

    assert [plan.source for plan in early] == [GREEDY]
    assert early[0].generation == made.generation == snapshot.generation
    assert early[0].placed == 8
    assert early[0].cost_micro_usd_per_hour >= made.cost_micro_usd_per_hour


def test_nothing_is_handed_out_early_where_the_greedy_plan_is_the_answer() -> None:
    early: list[Plan] = []

    make_plan(make_snapshot([make_node("s", **SMALL)], {WEB: 1}), None, {}, time_limit_s=0, on_baseline=early.append)

    assert early == []
