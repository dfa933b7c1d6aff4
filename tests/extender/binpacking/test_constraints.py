"""Each constraint alone: fix some counts, ask whether the model has a solution."""

from __future__ import annotations

from typing import Any

import pytest
from ortools.sat.python import cp_model

from extender.binpacking.candidates import choose
from extender.binpacking.constraints.affinity import RequiredAffinity
from extender.binpacking.constraints.anti_affinity import RequiredAntiAffinity
from extender.binpacking.constraints.capacity import Capacity, unit
from extender.binpacking.constraints.constraint import Constraint
from extender.binpacking.constraints.demand import Demand
from extender.binpacking.constraints.device_share import DeviceShares
from extender.binpacking.constraints.gang import AllOrNothing
from extender.binpacking.constraints.host_ports import HostPorts
from extender.binpacking.constraints.replica_limit import ReplicaLimits
from extender.binpacking.constraints.spread import HardSpread
from extender.binpacking.instance import build_instance
from extender.binpacking.variables import PackingVariables
from extender.cluster.snapshot import NodeInfo
from stowplan.model.keys import ZONE
from stowplan.model.node import Node
from stowplan.model.pod import Gang, HostPort, PodSignature, ReplicaLimit
from tests.support.clusters import GIB, SHARE, make_info, make_node, make_signature, make_snapshot, spread, term

Fixed = dict[tuple[str, str], int]
"""(app, node) -> pods."""

A = make_node("a", zone="z1")
B = make_node("b", zone="z1")
C = make_node("c", zone="z2")


def feasible(
    constraint: Constraint, nodes: list[Node | NodeInfo], pending: dict[PodSignature, int], fixed: Fixed
) -> bool:
    """Whether the constraint admits the counts; everything not named is fixed to zero."""
    instance = build_instance(make_snapshot(nodes, pending), {})
    apps = [dict(item.signature.labels)["app"] for item in instance.items]
    names = [b.node.name for b in instance.bins]
    slots: dict[int, dict[int, int]] = {}
    for (app, name), count in fixed.items():
        slots.setdefault(apps.index(app), {})[names.index(name)] = count
    variables = PackingVariables(instance, choose(instance, [slots]))
    constraint.add(variables)
    for item in range(len(apps)):
        for node in range(len(names)):
            variables.fix(item, node, slots.get(item, {}).get(node, 0))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    return solver.solve(variables.model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)


@pytest.mark.parametrize(("placed", "expected"), [(2, True), (3, False)])
def test_no_more_than_what_waits(placed: int, expected: bool) -> None:
    fixed = {("web", "a"): placed - 1, ("web", "b"): 1}
    assert feasible(Demand(), [A, B], {make_signature(): 2}, fixed) is expected


@pytest.mark.parametrize(
    ("node", "placed", "expected"),
    [
        (make_info(A, {make_signature("old", cpu=1000): 1}), 3, True),  # 4000 - 1000 = 3 x 1000
        (make_info(A, {make_signature("old", cpu=1001): 1}), 3, False),  # 2999 left
        (make_node("a", memory=3 * GIB), 3, True),
        (make_node("a", memory=3 * GIB - 1), 3, False),  # capacity is rounded down to the unit of 1 GiB
        (make_node("a", pods=2), 3, False),
    ],
)
def test_capacity_is_exact_in_every_resource(node: Node | NodeInfo, placed: int, expected: bool) -> None:
    both = {make_signature("web"): 2, make_signature("api"): 1}
    assert feasible(Capacity(), [node], both, {("web", "a"): placed - 1, ("api", "a"): 1}) is expected


def test_the_unit_is_the_common_divisor_unless_numbers_would_be_huge() -> None:
    assert unit([300 * 10**6, 400 * 10**6], 2**34) == 10**8
    assert unit([3, 7], 2**50) == 1024  # 2^50 is too large, 2^40 is not


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        (2, 0, True),  # 6 + 6 on the first device beside nothing, or one on each
        (0, 2, True),  # 9 and 9: one device each
        (0, 3, False),  # 27 of 32 in all, but no device has 9 left
        (2, 2, True),  # 9 + 6 = 15 on each
        (3, 2, False),  # 36 > 32
        (1, 3, False),
    ],
)
def test_a_share_of_a_device_is_found_on_one_device(small: int, large: int, expected: bool) -> None:
    node = make_node("a", extra={SHARE: 32, "aliyun.com/gpu-count": 2})
    pending = {make_signature("small", cpu=1, extra={SHARE: 6}): 3, make_signature("large", cpu=1, extra={SHARE: 9}): 3}
    assert feasible(DeviceShares(), [node], pending, {("small", "a"): small, ("large", "a"): large}) is expected


def test_shares_that_stand_are_taken_to_be_packed() -> None:
    # 9 stands on one device of 16: it has 7 left, the other one 16
    node = make_info(
        make_node("a", extra={SHARE: 32, "aliyun.com/gpu-count": 2}),
        {make_signature("old", cpu=1, extra={SHARE: 9}): 1},
    )
    assert feasible(DeviceShares(), [node], {make_signature("web", cpu=1, extra={SHARE: 8}): 2}, {("web", "a"): 2})
    assert not feasible(DeviceShares(), [node], {make_signature("web", cpu=1, extra={SHARE: 9}): 2}, {("web", "a"): 2})


def test_host_ports_within_and_between_items() -> None:
    web = make_signature("web", host_ports=(HostPort("0.0.0.0", "TCP", 80),))
    api = make_signature("api", host_ports=(HostPort("10.0.0.1", "TCP", 80),))
    udp = make_signature("udp", host_ports=(HostPort("0.0.0.0", "UDP", 80),))
    pending = {web: 2, api: 2, udp: 2}
    assert feasible(HostPorts(), [A, B], pending, {("web", "a"): 1, ("api", "b"): 1, ("udp", "a"): 1})
    assert not feasible(HostPorts(), [A, B], pending, {("web", "a"): 1, ("api", "a"): 1})
    assert not feasible(HostPorts(), [A], pending, {("web", "a"): 2})


def test_anti_affinity_is_symmetric_and_per_domain() -> None:
    web = make_signature("web", anti_affinity=(term("api", ZONE),))
    pending = {web: 2, make_signature("api"): 2}
    assert feasible(RequiredAntiAffinity(), [A, B, C], pending, {("web", "a"): 2, ("api", "c"): 2})
    assert not feasible(RequiredAntiAffinity(), [A, B, C], pending, {("web", "a"): 1, ("api", "b"): 1})


def test_an_item_that_repels_itself_has_one_pod_per_domain() -> None:
    web = make_signature("web", anti_affinity=(term("web", ZONE),))
    assert feasible(RequiredAntiAffinity(), [A, B, C], {web: 2}, {("web", "a"): 1, ("web", "c"): 1})
    assert not feasible(RequiredAntiAffinity(), [A, B, C], {web: 2}, {("web", "a"): 1, ("web", "b"): 1})


def test_affinity_joins_residents() -> None:
    web = make_signature("web", affinity=(term("db", ZONE),))
    nodes: list[Node | NodeInfo] = [make_info(A, {make_signature("db"): 1}), B, C]
    assert feasible(RequiredAffinity(), nodes, {web: 2}, {("web", "b"): 2})
    assert not feasible(RequiredAffinity(), nodes, {web: 2}, {("web", "c"): 1})


def test_a_group_that_selects_itself_founds_one_domain() -> None:
    web = make_signature("web", affinity=(term("web", ZONE),))
    assert feasible(RequiredAffinity(), [A, B, C], {web: 2}, {("web", "a"): 1, ("web", "b"): 1})
    assert not feasible(RequiredAffinity(), [A, B, C], {web: 2}, {("web", "a"): 1, ("web", "c"): 1})


def test_affinity_follows_pods_of_the_same_plan() -> None:
    web = make_signature("web", affinity=(term("db", ZONE),))
    pending = {web: 1, make_signature("db"): 1}
    assert feasible(RequiredAffinity(), [A, B, C], pending, {("web", "b"): 1, ("db", "a"): 1})
    assert not feasible(RequiredAffinity(), [A, B, C], pending, {("web", "c"): 1, ("db", "a"): 1})
    assert not feasible(RequiredAffinity(), [A, B, C], pending, {("web", "a"): 1})


@pytest.mark.parametrize(
    ("skew", "min_domains", "in_z1", "in_z2", "expected"),
    [
        (1, 1, 2, 1, True),  # 2 - 1 <= 1
        (1, 1, 2, 0, False),  # 2 - 0 > 1
        (2, 1, 2, 0, True),
        (1, 3, 1, 1, True),  # two domains of three wanted: the minimum counts as 0
        (1, 3, 2, 1, False),
    ],
)
def test_spread_bounds_the_skew(skew: int, min_domains: int, in_z1: int, in_z2: int, expected: bool) -> None:
    web = make_signature("web", spread=(spread("web", skew=skew, min_domains=min_domains),))
    fixed = {("web", "a"): in_z1, ("web", "c"): in_z2}
    assert feasible(HardSpread(), [A, B, C], {web: 4}, fixed) is expected


def test_spread_counts_residents_and_other_items_that_match() -> None:
    web = make_signature("web", spread=(spread("web"),))
    nodes: list[Node | NodeInfo] = [make_info(A, {make_signature("web", cpu=1): 1}), C]
    # z1 has a resident: one more there makes 2 against 0
    assert not feasible(HardSpread(), nodes, {web: 2}, {("web", "a"): 1})
    assert feasible(HardSpread(), nodes, {web: 2}, {("web", "c"): 1})


SPOT: dict[str, Any] = {"capacity_type": "spot", "instance_type": "m5.large"}


@pytest.mark.parametrize(("placed", "expected"), [(2, True), (3, False)])
def test_replicas_per_node_with_those_that_stand_there(placed: int, expected: bool) -> None:
    web = make_signature("web", per_node=ReplicaLimit(count=3))
    node = make_info(A, {make_signature("web", cpu=1): 1})  # of the same owner, so it counts: 1 + 2 = 3
    assert feasible(ReplicaLimits(), [node, B], {web: 4}, {("web", "a"): placed}) is expected


def test_replicas_per_spot_pool_count_over_its_nodes_and_not_on_demand() -> None:
    web = make_signature("web", per_spot_pool=ReplicaLimit(percent=50))  # of 4 pods: 2
    spot: list[Node | NodeInfo] = [
        make_node("a", zone="z1", **SPOT),
        make_node("b", zone="z1", **SPOT),
        make_node("c", zone="z2", **SPOT),
        B,
    ]
    assert feasible(ReplicaLimits(), spot[:3], {web: 4}, {("web", "a"): 1, ("web", "b"): 1, ("web", "c"): 2})
    assert not feasible(ReplicaLimits(), spot[:3], {web: 4}, {("web", "a"): 1, ("web", "b"): 2})
    assert feasible(ReplicaLimits(), [A, B], {web: 4}, {("web", "a"): 4})


def test_a_limit_binds_where_a_pod_that_asks_for_it_goes_and_counts_the_whole_service() -> None:
    new = make_signature("new", owner_key="ReplicaSet/web", per_node=ReplicaLimit(count=2))
    old = make_signature("old", owner_key="ReplicaSet/web")
    pending = {new: 2, old: 4}
    assert feasible(ReplicaLimits(), [A, B], pending, {("new", "a"): 1, ("old", "a"): 1, ("old", "b"): 3})
    assert not feasible(ReplicaLimits(), [A, B], pending, {("new", "a"): 1, ("old", "a"): 2})


@pytest.mark.parametrize(
    ("workers", "launcher", "expected"),
    [(0, 0, True), (2, 1, True), (3, 1, True), (2, 0, False), (0, 1, False)],  # 3 of the group, or none
)
def test_a_group_is_placed_by_its_least_number_or_not_at_all(workers: int, launcher: int, expected: bool) -> None:
    gang = Gang("train", least=3)
    pending = {make_signature("worker", gang=gang): 4, make_signature("launcher", gang=gang): 1}
    assert (
        feasible(AllOrNothing(), [A, B], pending, {("worker", "a"): workers, ("launcher", "b"): launcher}) is expected
    )


def test_members_that_stand_already_count_for_the_group() -> None:
    worker = make_signature("worker", gang=Gang("train", least=3))
    node = make_info(A, {worker: 2})
    assert feasible(AllOrNothing(), [node, B], {worker: 2}, {("worker", "b"): 1})
