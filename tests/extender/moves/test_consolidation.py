"""Which nodes may be emptied, into which room, and who is heeded."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.budgets import Budgets, DisruptionBudget, parse_disruption_budget
from extender.moves.consolidation import Proposal, propose
from extender.moves.emptying import Limits
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import Pod, PodAffinityTerm, PodSignature
from stowplan.model.selectors import Expression, LabelSelector, Taint
from tests.support.extender import info, node, pod, signature

WEB = signature("web", cpu=1000)
ALL = LabelSelector(())


def cluster(*nodes: tuple[str, int, list[PodSignature], dict[str, Any]]) -> tuple[Snapshot, list[Pod]]:
    """Nodes of 4 cores (name, price, residents, changes), and their pods."""
    infos: dict[str, NodeInfo] = {}
    pods: list[Pod] = []
    for name, price, residents, changes in nodes:
        standing = [pod(f"{name}-{i}", sig, name) for i, sig in enumerate(residents)]
        counts: dict[PodSignature, int] = {}
        for one in standing:
            counts[one.signature] = counts.get(one.signature, 0) + 1
        infos[name] = info(node(name, price=price, **changes), counts)
        pods += standing
    return Snapshot(1, infos, {}), pods


def proposed(
    snapshot: Snapshot,
    pods: list[Pod],
    *budgets: DisruptionBudget,
    patient: bool = False,
    seconds_left: dict[str, float] | None = None,
    **limits: int,
) -> Proposal:
    asked = Budgets(budgets, patient=patient)
    return propose(snapshot, pods, asked, BUILTIN_CLASSES, Limits(**limits), seconds_left)


def test_the_node_that_saves_most_for_each_pod_moved_is_emptied_into_room_that_is_paid_for() -> None:
    # dear saves 300,000 for one pod, cheap 100,000 for one; each fits on full's one free core, but only one of them.
    snapshot, pods = cluster(
        ("full", 200_000, [WEB] * 3, {}), ("dear", 300_000, [WEB], {}), ("cheap", 100_000, [WEB], {})
    )

    found = proposed(snapshot, pods, drains=1)

    (drain,) = found.drains
    assert (drain.node, drain.price, found.saved) == ("dear", 300_000, 300_000)
    assert [(move.pod.uid, move.source) for move in drain.moves] == [("dear-0", "dear")]
    assert drain.moves[0].target in ("full", "cheap")


def test_an_empty_node_is_reported_and_never_opened() -> None:
    snapshot, pods = cluster(("a", 300_000, [WEB] * 4, {}), ("b", 100_000, [WEB] * 4, {}), ("idle", 50_000, [], {}))

    found = proposed(snapshot, pods)

    assert found.drains == ()
    assert found.empty == (("idle", 50_000),)
    assert set(found.kept.values()) == {"its pods do not fit on other nodes in use"}


def test_drains_that_follow_each_other_are_possible_one_after_the_other() -> None:
    snapshot, pods = cluster(*((f"n{i}", 100_000 + i, [WEB], {}) for i in range(5)))

    found = proposed(snapshot, pods)

    # Five single cores need two nodes of four: three can go, and nothing is moved onto a node that goes.
    gone = {drain.node for drain in found.drains}
    assert len(gone) == 3
    assert not gone & {move.target for drain in found.drains for move in drain.moves}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kept": "karpenter.sh/do-not-disrupt"}, "annotated karpenter.sh/do-not-disrupt"),
        ({"unschedulable": True}, "cordoned or not ready"),
        ({"ready": False}, "cordoned or not ready"),
        (
            {"taints": (Taint("ToBeDeletedByClusterAutoscaler", "", "NoSchedule"),)},
            "on its way out already (ToBeDeletedByClusterAutoscaler)",
        ),
        (
            {"taints": (Taint("karpenter.sh/disrupted", "", "NoSchedule"),)},
            "on its way out already (karpenter.sh/disrupted)",
        ),
    ],
)
def test_nodes_that_others_decide_about_are_left_to_them(changes: dict[str, Any], why: str) -> None:
    snapshot, pods = cluster(("theirs", 300_000, [WEB], changes), ("full", 200_000, [WEB] * 4, {}))

    found = proposed(snapshot, pods)

    assert found.kept["theirs"] == why
    assert found.drains == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pinned": "local data"}, "local data"),
        ({"unplannable": "resource claims"}, "its needs are not modelled (resource claims)"),
        ({"workload_class": "critical"}, "pods of class critical are not moved"),
    ],
)
def test_one_pod_that_must_stay_keeps_its_node(changes: dict[str, Any], why: str) -> None:
    stays = dataclasses.replace(WEB, **changes)
    snapshot, pods = cluster(("a", 300_000, [stays], {}), ("full", 200_000, [WEB] * 3, {}))

    assert proposed(snapshot, pods, pods_per_node=1).kept["a"] == f"shop/pod-a-0: {why}"


def test_furniture_need_not_move() -> None:
    agent = signature("agent", cpu=100, owner_key="DaemonSet/agent")
    snapshot, pods = cluster(("a", 300_000, [WEB, agent], {}), ("b", 200_000, [WEB, agent], {}))

    (drain,) = proposed(snapshot, pods).drains

    assert drain.node == "a"
    assert [move.pod.signature for move in drain.moves] == [WEB]


def test_a_budget_is_spent_over_all_drains() -> None:
    snapshot, pods = cluster(*((f"n{i}", 100_000 + i, [WEB], {}) for i in range(5)))

    found = proposed(snapshot, pods, DisruptionBudget("shop", "web", ALL, allowed=1))

    assert len(found.drains) == 1
    assert "shop/pod-n3-0: PodDisruptionBudget web allows none" in found.kept.values()


def test_evictions_that_wait_for_each_other_need_a_budget_that_allows_one() -> None:
    snapshot, pods = cluster(*((f"n{i}", 100_000 + i, [WEB], {}) for i in range(5)))

    one = proposed(snapshot, pods, DisruptionBudget("shop", "web", ALL, allowed=1), patient=True)
    none = proposed(snapshot, pods, DisruptionBudget("shop", "web", ALL, allowed=0), patient=True)

    assert len(one.drains) == 3
    assert none.drains == ()
    assert none.kept["n0"] == "shop/pod-n0-0: PodDisruptionBudget web allows none"


def test_what_was_learned_says_which_node_runs_empty_by_itself_and_which_stays() -> None:
    snapshot, pods = cluster(
        ("soon", 300_000, [WEB], {}), ("stays", 100_000, [WEB], {}), ("full", 100_000, [WEB] * 3, {})
    )
    left = {"soon": 1800.0, "stays": 90_000.0, "full": 90_000.0}

    found = proposed(snapshot, pods, seconds_left=left, drains=1)

    # By price alone the dear one would go; in half an hour it does so by itself.
    (drain,) = found.drains
    assert (drain.node, drain.seconds_left, drain.moves[0].target) == ("stays", 90_000.0, "full")
    assert found.kept["soon"] == "its pods are expected to leave within 0.5 h, too soon for a move to save anything"
    assert proposed(snapshot, pods, drains=1).drains[0].seconds_left is None


def test_a_node_of_which_the_extender_knows_nothing_stays() -> None:
    snapshot, pods = cluster(("new", 300_000, [WEB], {}), ("full", 100_000, [WEB] * 3, {}))

    found = proposed(snapshot, pods, seconds_left={"full": 90_000.0})

    assert found.kept["new"] == "the extender does not know it yet"
    assert "new" not in [drain.node for drain in found.drains]


def test_a_pod_that_needs_the_company_of_another_is_moved_after_it() -> None:
    follower = dataclasses.replace(
        signature("follower", cpu=2000),
        affinity=(PodAffinityTerm(LabelSelector((Expression("app", "In", ("leader",)),)), "zone", ("shop",)),),
    )
    leader = signature("leader", cpu=500)
    snapshot, pods = cluster(
        ("a", 300_000, [follower, leader], {"labels": {"zone": "z1"}}),
        ("b", 100_000, [signature("other", cpu=500)], {"labels": {"zone": "z2"}}),
    )

    # The follower is larger, so it is tried first; there is no leader in z2 before the leader is there.
    (drain,) = proposed(snapshot, pods, drains=1).drains
    assert [move.pod.signature for move in drain.moves] == [leader, follower]


def test_limits_hold() -> None:
    snapshot, pods = cluster(("a", 300_000, [WEB] * 2, {}), ("b", 200_000, [WEB], {}), ("c", 100_000, [WEB], {}))

    found = proposed(snapshot, pods, moves=1, pods_per_node=1)

    assert [drain.node for drain in found.drains] == ["b"]
    assert found.kept["a"] == "2 pods would have to move, more than 1"


def test_pods_under_two_budgets_and_system_pods_without_one_stay() -> None:
    budgets = Budgets([DisruptionBudget("shop", "x", ALL, 5), DisruptionBudget("shop", "y", ALL, 5)])

    assert "several PodDisruptionBudgets" in budgets.refuses(pod("a", WEB))
    assert budgets.refuses(pod("a", WEB, namespace="kube-system")) == "a system pod without a PodDisruptionBudget"
    assert budgets.refuses(pod("a", WEB, namespace="other")) == ""


def test_a_budget_is_read_from_the_api() -> None:
    item = {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 2},
    }

    budget = parse_disruption_budget(item)

    assert budget.allowed == 2
    assert budget.covers(pod("a", WEB))
    assert not budget.covers(pod("a", signature("db")))
    fresh = parse_disruption_budget({"metadata": {"namespace": "shop", "name": "new"}, "spec": {}})
    assert (fresh.allowed, fresh.covers(pod("a", WEB))) == (0, False)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Snapshot, list[Pod]]:
    shapes = [signature(f"s{cpu}", cpu=cpu) for cpu in (500, 1000, 2000)]
    count = draw(st.integers(2, 7))
    made: list[tuple[str, int, list[PodSignature], dict[str, Any]]] = []
    for index in range(count):
        residents: list[PodSignature] = []
        for shape in draw(st.lists(st.sampled_from(shapes), max_size=4)):
            if sum(dict(one.requests)["cpu"] for one in (*residents, shape)) <= 4000:
                residents.append(shape)
        made.append((f"n{index}", draw(st.integers(1, 5)) * 100_000, residents, {}))
    return cluster(*made)


@given(clusters(), st.integers(0, 4))
def test_every_proposal_can_be_carried_out_within_the_budget(made: tuple[Snapshot, list[Pod]], allowed: int) -> None:
    snapshot, pods = made

    found = proposed(snapshot, pods, DisruptionBudget("shop", "all", ALL, allowed))

    # Counted here from the pods, apart from all of the above: who stands where in the end, and whether it fits.
    where = {one.uid: one.node_name for one in pods}
    for move in (move for drain in found.drains for move in drain.moves):
        assert where[move.pod.uid] == move.source
        where[move.pod.uid] = move.target
    assert sum(1 for one in pods if where[one.uid] != one.node_name) <= allowed
    for name, there in snapshot.nodes.items():
        standing = [one for one in pods if where[one.uid] == name]
        assert sum(dict(one.signature.requests)["cpu"] for one in standing) <= there.node.allocatable["cpu"]
        if not there.residents:
            assert not standing
    for drain in found.drains:
        assert drain.node not in where.values()
