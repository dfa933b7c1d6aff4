"""What decides between placements of one price: each soft term with a known answer, in the plan and in numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from extender.binpacking.discomfort import terms_of
from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import build_instance
from extender.binpacking.planning import make_plan
from extender.cluster.node_load import NodeLoad
from extender.cluster.snapshot import NodeInfo, Snapshot
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import CAPACITY_TYPE, HOSTNAME, ZONE
from stowplan.model.node import Node
from stowplan.model.pod import PodAffinityTerm, PodSignature, PreferredNodes, ReplicaLimit
from stowplan.model.selectors import Expression, NodeSelectorTerm
from tests.support.clusters import app_selector, make_info, make_node, make_signature, make_snapshot

OLD = make_signature("old", cpu=1)


def plan(nodes: list[Node | NodeInfo], pending: dict[PodSignature, int]) -> dict[PodSignature, dict[str, int]]:
    return plan_of(make_snapshot(nodes, pending))


def plan_of(snapshot: Snapshot) -> dict[PodSignature, dict[str, int]]:
    made = make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0, work_limit=1.0)
    return {signature: dict(slots) for signature, slots in made.slots.items()}


def in_use(*names: str, **changes: Any) -> list[Node | NodeInfo]:
    """Nodes on which something stands, so that price does not tell them apart."""
    return [make_info(make_node(name, **changes), {OLD: 1}) for name in names]


def prefers(app: str, weight: int, key: str = HOSTNAME) -> PodAffinityTerm:
    return PodAffinityTerm(app_selector(app), key, ("shop",), weight=weight)


def costs(snapshot: Snapshot, placed: dict[str, dict[str, int]]) -> dict[str, int]:
    """The soft terms of placing pods of an app on nodes."""
    instance = build_instance(snapshot, BUILTIN_CLASSES)
    packing = Packing(instance)
    names = [place.node.name for place in instance.bins]
    apps = [dict(item.signature.labels)["app"] for item in instance.items]
    for app, nodes in placed.items():
        for node, count in nodes.items():
            for _ in range(count):
                packing.add(apps.index(app), names.index(node))
    return terms_of(packing)


def test_pods_that_avoid_each_other_spread_and_those_that_like_each_other_meet() -> None:
    avoiding = make_signature("web", preferred_affinity=(prefers("web", -100),))
    assert plan(in_use("a", "b"), {avoiding: 2})[avoiding] == {"a": 1, "b": 1}
    liking = make_signature("web", preferred_affinity=(prefers("web", 100),))
    assert sorted(plan(in_use("a", "b"), {liking: 2})[liking].values()) == [2]


def test_company_that_stands_already_attracts_or_repels() -> None:
    near = make_signature("web", preferred_affinity=(prefers("db", 10, ZONE),))
    far = make_signature("web", preferred_affinity=(prefers("db", -10, ZONE),))
    nodes: list[Node | NodeInfo] = [
        make_info(make_node("a", zone="z1"), {OLD: 1}),
        make_info(make_node("b", zone="z2"), {make_signature("db"): 1}),
    ]
    assert plan(nodes, {near: 1})[near] == {"b": 1}
    assert plan(nodes, {far: 1})[far] == {"a": 1}


def test_company_that_comes_with_the_same_plan_counts() -> None:
    web = make_signature("web", preferred_affinity=(prefers("db", 10),))
    pinned = make_signature("db", node_selector=(Expression(HOSTNAME, "In", ("b",)),))
    assert plan(in_use("a", "b"), {web: 1, pinned: 1})[web] == {"b": 1}


@pytest.mark.parametrize(
    ("weight", "app", "placed", "expected"),
    [
        (7, "web", {"a": 3}, 70),  # the first of the group is alone when it comes: 1 x 10 x 7
        (7, "web", {"a": 2, "b": 1}, 140),  # one on each node
        (7, "db", {"a": 3}, 210),  # nobody of db anywhere: all three
        (-7, "web", {"a": 3}, 140),  # the second and the third
        (-7, "db", {"a": 3}, 0),
    ],
)
def test_company_in_numbers(weight: int, app: str, placed: dict[str, int], expected: int) -> None:
    web = make_signature("web", preferred_affinity=(prefers(app, weight),))
    assert costs(make_snapshot(in_use("a", "b"), {web: 3}), {"web": placed})["company"] == expected


def test_a_class_goes_to_the_capacity_it_prefers_among_nodes_of_one_price() -> None:
    nodes = in_use("a") + in_use("b", capacity_type="spot")
    standard = make_signature("web", workload_class="standard")
    elastic = make_signature("web", workload_class="elastic")
    assert plan(nodes, {standard: 1})[standard] == {"a": 1}
    assert plan(nodes, {elastic: 1})[elastic] == {"b": 1}
    # standard: on-demand 80, spot 20: 60 points below; times 10
    assert costs(make_snapshot(nodes, {standard: 1}), {"web": {"b": 1}})["preferences"] == 600


def test_a_preference_that_the_pod_brings_along_is_not_counted_twice() -> None:
    liked = NodeSelectorTerm((Expression(CAPACITY_TYPE, "In", ("on-demand",)),))
    web = make_signature("web", workload_class="standard", preferred_nodes=(PreferredNodes(liked, 80),))
    assert costs(make_snapshot(in_use("b", capacity_type="spot"), {web: 1}), {"web": {"b": 1}})["preferences"] == 800


def test_critical_replicas_are_not_all_lost_with_one_node_or_one_pool() -> None:
    """Tier 0 with hostSkewDivisor 3: 34 % of 6 is 2 on a node, and 2 in a spot pool; without a limit one node would do."""
    critical = make_signature("web", cpu=100, workload_class="critical")
    assert sorted(plan([make_node(n) for n in "abcd"], {critical: 6})[critical].values()) == [2, 2, 2]
    standard = make_signature("web", cpu=100, workload_class="standard")
    assert plan([make_node(n) for n in "abcd"], {standard: 6})[standard] == {"a": 6}
    spot = [make_node(n, capacity_type="spot", instance_type="m5.large", zone="z1", price=1) for n in "ab"]
    dear = [make_node(n) for n in "cd"]
    slots = plan([*spot, *dear], {critical: 6})[critical]
    assert (slots.get("a", 0) + slots.get("b", 0), slots["c"], slots["d"]) == (2, 2, 2)


def test_what_a_limit_leaves_out_says_so() -> None:
    web = make_signature("web", per_node=ReplicaLimit(count=2))
    made = make_plan(make_snapshot([make_node("a")], {web: 3}), None, BUILTIN_CLASSES, time_limit_s=0)
    (unplaced,) = made.unplaced
    assert (unplaced.count, unplaced.reason) == (1, "ReplicaLimit")
    assert str(unplaced.shortfalls[0]) == "pods of web on a node: asked 1, used 2 of 2"


def test_measured_load_counts_for_nodes_in_use_and_what_came_since_as_requested() -> None:
    """Node a is busy with 3600 of 4000 though hardly anything is requested there; standard's bound is 65 %."""
    standard = make_signature("web", cpu=400, workload_class="standard")
    snapshot = make_snapshot(in_use("a", "b"), {standard: 1})
    assert plan_of(snapshot)[standard] == {"a": 1}
    measured = replace(snapshot, loads={"a": NodeLoad(900, 1)})
    assert plan_of(measured)[standard] == {"b": 1}
    # 900 + 400 of 4000 = 1000 permille; over 650 by 350, over the knee 825 by 175: 30 x (350 + 2 x 175); b: 101 permille
    assert costs(measured, {"web": {"a": 1}})["load"] == 30 * 700
    # 900 permille of 4000, and 1 millicore requested where 1001 was at the time
    assert build_instance(measured, {}).bins[0].busy_cpu == 3600


def test_what_an_empty_node_does_does_not_tell_it_from_its_like() -> None:
    snapshot = replace(make_snapshot([make_node("a"), make_node("b")], {OLD: 1}), loads={"a": NodeLoad(100, 0)})
    bins = build_instance(snapshot, {}).bins
    assert (bins[0].group, bins[0].busy_cpu) == (bins[1].group, 0)


MB = 10**6


def with_images(name: str, zone: str = "z1", **images: int) -> NodeInfo:
    """A node in use that has these images (name -> megabytes)."""
    return make_info(
        make_node(name, zone=zone, images=tuple((image, size * MB) for image, size in images.items())), {OLD: 1}
    )


def test_a_pod_goes_where_its_image_is_and_waits_in_numbers_where_not() -> None:
    web = make_signature("web", images=("app", "unknown"), workload_class="standard")
    nodes: list[Node | NodeInfo] = [with_images("a"), with_images("b", app=400)]
    assert plan(nodes, {web: 1})[web] == {"b": 1}
    # 400 MB at 100 MB/s are 4 s, 400 points of 10 ms; times standard's latency weight. Nobody knows the other image's size
    assert costs(make_snapshot(nodes, {web: 1}), {"web": {"a": 1}})["images"] == 400 * 30
    assert costs(make_snapshot(nodes, {web: 1}), {"web": {"b": 1}})["images"] == 0
    huge: list[Node | NodeInfo] = [with_images("a"), with_images("b", app=9000)]
    assert costs(make_snapshot(huge, {web: 1}), {"web": {"a": 1}})["images"] == 1000 * 30


def test_images_do_not_count_for_a_class_without_latency() -> None:
    batch = make_signature("web", images=("app",), workload_class="batch")
    nodes: list[Node | NodeInfo] = [with_images("a"), with_images("b", app=400)]
    assert costs(make_snapshot(nodes, {batch: 1}), {"web": {"a": 1}})["images"] == 0


def test_images_do_not_tell_empty_nodes_apart_for_the_reduction() -> None:
    nodes = [make_node("a", images=(("app", MB * 100),)), make_node("b")]
    bins = build_instance(make_snapshot(list(nodes), {make_signature(images=("app",)): 1}), {}).bins
    assert bins[0].group == bins[1].group


def test_callers_follow_the_service_they_call() -> None:
    web = make_signature("web", talks_to=(("shop", "db"),), workload_class="standard")
    database = make_signature("db", owner_key="StatefulSet/db", cpu=100)
    nodes: list[Node | NodeInfo] = [
        make_info(make_node("a", zone="z1"), {OLD: 1}),
        make_info(make_node("b", zone="z2"), {database: 1}),
    ]
    assert plan(nodes, {web: 2})[web] == {"b": 2}
    # the only callee is in z2: both callers in z1 cross; 300 points each, times 30
    assert costs(make_snapshot(nodes, {web: 2}), {"web": {"a": 2}})["hops"] == 2 * 300 * 30
    assert costs(make_snapshot(nodes, {web: 2}), {"web": {"b": 2}})["hops"] == 0


def test_callers_are_shared_out_as_the_callees_stand() -> None:
    """Three callees in z2, one in z1; of four callers one belongs to z1. Two there are one too many."""
    web = make_signature("web", cpu=10, talks_to=(("shop", "db"),))
    database = make_signature("db", owner_key="StatefulSet/db", cpu=100)
    nodes: list[Node | NodeInfo] = [
        make_info(make_node("a", zone="z1"), {database: 1}),
        make_info(make_node("b", zone="z2"), {database: 3}),
    ]
    snapshot = make_snapshot(nodes, {web: 4})
    # without a class the weight is 10
    assert [costs(snapshot, {"web": {"a": n, "b": 4 - n}})["hops"] for n in range(4)] == [3000, 0, 3000, 6000]


def test_who_calls_nobody_that_exists_pays_nothing() -> None:
    web = make_signature("web", talks_to=(("shop", "gone"), ("shop", "web")))
    assert build_instance(make_snapshot(in_use("a"), {web: 2}), {}).hops == ()


@pytest.mark.parametrize(("permille", "opened"), [(0, 1), (400, 1), (600, 2)])
def test_a_budget_buys_headroom_and_the_bound_stays_the_least_price(permille: int, opened: int) -> None:
    """Two pods of 1900 on nodes of 4000: together 95 %, apart 47.5 %. The second node is half of what both cost, all of what one costs.

    The node in use (priced 100000, full) counts for the budget: 400 permille of 200000 are 80000, 600 are 120000.
    """
    pods = make_signature("web", cpu=1900, workload_class="standard")
    full = make_info(make_node("full", price=100_000), {make_signature("old", cpu=4000): 1})
    snapshot = make_snapshot([full, make_node("a"), make_node("b")], {pods: 2})
    made = make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0, work_limit=1.0, latency_budget_permille=permille)
    assert len(made.slots[pods]) == opened
    assert made.cost_micro_usd_per_hour == 100_000 * (1 + opened)
    assert made.bound_micro_usd_per_hour == 200_000
    assert made.soft_terms["load"] == (30 * (300 + 2 * 125) if opened == 1 else 0)  # 950 permille; bound 650, knee 825
