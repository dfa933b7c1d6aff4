"""Pods that fit nowhere although a rearrangement would make room."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extender.answering.explain import explain_plan, explain_waiting
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.rescue import MOST_MOVES, rescue
from extender.plan import Plan, Rescue, Unplaced
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import Pod, PodSignature
from tests.support.extender import info, node, pod, signature

BIG, SMALL = signature("big", cpu=3000), signature("small", cpu=1000)


def cluster(*nodes: tuple[str, int, list[PodSignature]]) -> tuple[Snapshot, list[Pod]]:
    """Nodes (name, millicores, residents) and their pods."""
    infos: dict[str, NodeInfo] = {}
    pods: list[Pod] = []
    for name, cpu, residents in nodes:
        pods += [pod(f"{name}-{i}", sig, name) for i, sig in enumerate(residents)]
        infos[name] = info(node(name, cpu=cpu), {sig: residents.count(sig) for sig in residents})
    return Snapshot(1, infos, {}), pods


def found(made: tuple[Snapshot, list[Pod]], asked: PodSignature = BIG) -> Rescue | None:
    snapshot, pods = made
    return rescue(asked, snapshot, lambda names: (pod for pod in pods if pod.node_name in names), BUILTIN_CLASSES)


def test_one_move_is_found_where_one_is_enough() -> None:
    # Two free cores on each of two nodes of four: one small pod from a to b leaves three on a.
    answer = found(cluster(("a", 4000, [SMALL, SMALL]), ("b", 4000, [SMALL, SMALL])))

    assert answer is not None
    assert len(answer.moves) == 1
    moved, target = answer.moves[0]
    assert (moved.node_name, target) == (answer.node, "b" if answer.node == "a" else "a")
    assert str(answer) == f"it would fit on {answer.node} if moved were: shop/{moved.name} to {target}"


def test_two_moves_are_found_where_one_is_not() -> None:
    # Three cores asked, one free on a and b each: two have to go, and a or b with its one core and c with its two take them.
    answer = found(cluster(("a", 4000, [SMALL] * 3), ("b", 4000, [SMALL] * 3), ("c", 2000, [])))

    assert answer is not None
    assert len(answer.moves) == 2
    assert answer.node in ("a", "b")


def test_where_there_is_no_room_in_all_nothing_is_found() -> None:
    assert found(cluster(("a", 4000, [SMALL] * 3), ("b", 4000, [SMALL] * 3))) is None


def test_pods_that_must_stay_and_more_important_ones_are_not_moved() -> None:
    for changes in ({"pinned": "local data"}, {"priority": 10}, {"workload_class": "critical"}):
        stays = dataclasses.replace(SMALL, **changes)
        assert found(cluster(("a", 4000, [stays] * 2), ("b", 4000, [stays] * 2))) is None


def test_a_pod_that_cannot_be_planned_is_not_promised_anything() -> None:
    odd = dataclasses.replace(BIG, unplannable="resource claims")

    assert found(cluster(("a", 4000, [SMALL] * 2), ("b", 4000, [SMALL] * 2)), odd) is None


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Snapshot, list[Pod]]:
    shapes = [signature(f"s{cpu}", cpu=cpu) for cpu in (500, 1000, 1500)]
    made: list[tuple[str, int, list[PodSignature]]] = []
    for index in range(draw(st.integers(1, 5))):
        residents: list[PodSignature] = []
        for shape in draw(st.lists(st.sampled_from(shapes), max_size=5)):
            if sum(dict(one.requests)["cpu"] for one in (*residents, shape)) <= 4000:
                residents.append(shape)
        made.append((f"n{index}", 4000, residents))
    return cluster(*made)


@given(clusters())
def test_every_answer_works(made: tuple[Snapshot, list[Pod]]) -> None:
    snapshot, pods = made
    answer = found(made)
    if answer is None:
        return

    # Counted here from the pods: after the moves everything fits, the waiting pod included.
    where = {one.uid: one.node_name for one in pods}
    for moved, target in answer.moves:
        assert moved.node_name == answer.node != target
        where[moved.uid] = target
    for name, there in snapshot.nodes.items():
        load = sum(dict(one.signature.requests)["cpu"] for one in pods if where[one.uid] == name)
        load += 3000 if name == answer.node else 0
        assert load <= there.node.allocatable["cpu"]
    assert 1 <= len(answer.moves) <= MOST_MOVES


def test_it_is_explained() -> None:
    made = cluster(("a", 4000, [SMALL, SMALL]), ("b", 4000, [SMALL, SMALL]))
    answer = found(made)
    assert answer is not None
    plan = Plan(1, unplaced=(Unplaced(BIG, 1, "InsufficientResources", 2),), rescues=(answer,))
    waiting = pod("w", BIG, unschedulable=True)

    story: dict[str, Any] = explain_waiting(waiting, plan)

    assert (story["outcome"], story["unschedulable"], story["rescuable"]) == ("waiting", True, True)
    assert story["why"] == f"shop/pod-w waits: InsufficientResources on 2 nodes; {answer}."
    assert explain_plan(plan)["rescues"][0]["node"] == answer.node
    assert explain_waiting(pod("x", SMALL), plan)["why"] == "shop/pod-x waits."
