"""Which nodes are starved, and where they stand in the fill order."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from extender.cluster.snapshot import NodeInfo
from extender.drain_set import drain_set, starved
from stowplan.model.selectors import Taint
from tests.support.extender import info, node, signature, snapshot

WEB = signature("web", cpu=1000)


def nodes_in_use(count: int, pods: int = 2) -> list[NodeInfo]:
    """Nodes of four cores with this many pods of one core each."""
    return [info(node(f"n{index:02d}"), {WEB: pods}) for index in range(count)]


def test_the_emptiest_node_whose_pods_fit_elsewhere_is_starved() -> None:
    emptiest = info(node("emptiest"), {WEB: 1})

    assert drain_set(snapshot(*nodes_in_use(9), emptiest)) == ("emptiest",)  # one of ten in use


def test_no_node_is_starved_where_nothing_is_free() -> None:
    assert drain_set(snapshot(*nodes_in_use(10, pods=4))) == ()


def test_small_clusters_keep_all_their_nodes() -> None:
    assert drain_set(snapshot(*nodes_in_use(9, pods=1))) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"kept": "karpenter.sh/do-not-disrupt"},
        {"taints": (Taint("karpenter.sh/disrupted", "", "NoSchedule"),)},
        {"unschedulable": True},
        {"ready": False},
    ],
)
def test_a_node_that_others_decide_about_is_not(changes: dict[str, Any]) -> None:
    theirs = info(node("theirs", **changes), {WEB: 1})

    assert "theirs" not in drain_set(snapshot(*nodes_in_use(10), theirs))


def test_a_node_with_a_pod_that_must_stay_is_not() -> None:
    stays = info(node("stays"), {dataclasses.replace(WEB, pinned="local data"): 1})

    assert "stays" not in drain_set(snapshot(*nodes_in_use(10), stays))


def test_a_node_that_is_to_take_the_pods_of_another_is_not_starved_itself() -> None:
    # Two of twenty may be starved, each with one pod. Only the roomiest others have room: 18 are full.
    roomy = [info(node(f"roomy-{index}"), {WEB: 1}) for index in range(2)]

    assert drain_set(snapshot(*nodes_in_use(18, pods=4), *roomy)) == ("roomy-0",)


def test_starved_nodes_come_after_the_others_in_use_and_before_the_empty_ones() -> None:
    there = snapshot(*nodes_in_use(3), info(node("empty-1")), info(node("empty-2")))

    order = starved(("n00", "n01", "n02", "empty-1", "empty-2"), ("n00", "gone"), there)

    assert order == ("n01", "n02", "n00", "empty-1", "empty-2")


def test_the_one_that_could_go_first_comes_last() -> None:
    there = snapshot(*nodes_in_use(3))

    assert starved(("n00", "n01", "n02"), ("n00", "n01"), there) == ("n02", "n01", "n00")
