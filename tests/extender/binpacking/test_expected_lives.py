"""Pods that wait together are placed by how long they are expected to stay, as far as that costs nothing else."""

import dataclasses

import pytest

from extender.binpacking.planning import make_plan
from extender.cluster.snapshot import NodeInfo
from extender.lifetimes.kin import path_of
from extender.lifetimes.occupancy import Occupancy
from extender.lifetimes.outlook import Outlook
from extender.plan import Plan
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature
from tests.support.clusters import make_info, make_node, make_signature, make_snapshot, term

DAY = 86_400
SERVICE, JOB = make_signature("service", cpu=2000), make_signature("job", cpu=2000)


def outlook(residents: dict[str, PodSignature]) -> Outlook:
    """Learned from forty jobs of ten minutes and forty services of two days; one pod of each kind stands on its node since just now."""
    occupancy = Occupancy()
    for number in range(40):
        for signature, life in ((SERVICE, 2 * DAY), (JOB, 600)):
            uid = (signature.owner_key, number)
            occupancy.place(uid, path_of(signature, str(uid)), 99, 0, 0)
            occupancy.depart(uid, life)
    rows = {name: row for row, name in enumerate(residents)}
    now = 3 * DAY
    for name, signature in residents.items():
        occupancy.place(name, path_of(signature, name), rows[name], now, now)
    occupancy.renew(now + 61)
    return Outlook(rows, occupancy.curves, occupancy.expectations)


def cluster(**residents: PodSignature) -> list[NodeInfo | Node]:
    return [make_info(make_node(name, cpu=4000, price=100_000), {of: 1}) for name, of in residents.items()]


def plan(nodes: list[NodeInfo | Node], pending: dict[PodSignature, int], known: Outlook | None) -> Plan:
    return make_plan(make_snapshot(nodes, pending), None, BUILTIN_CLASSES, time_limit_s=0, outlook=known)


@pytest.mark.parametrize("turned", [False, True])
def test_what_stays_goes_to_the_node_that_stays(*, turned: bool) -> None:
    names = ("b", "a") if turned else ("a", "b")
    residents = dict(zip(names, (SERVICE, JOB), strict=True))
    # other owners of the same shapes, and of known families: what is learned by owner decides
    pending = {dataclasses.replace(JOB, spread=()): 1, dataclasses.replace(SERVICE, spread=()): 1}

    made = plan(cluster(**dict(sorted(residents.items()))), pending, outlook(residents))

    assert made.slots == {JOB: {names[1]: 1}, SERVICE: {names[0]: 1}}


def test_without_an_outlook_the_plan_is_what_it_was() -> None:
    nodes, pending = cluster(a=SERVICE, b=JOB), {JOB: 1, SERVICE: 1}

    assert (
        plan(nodes, pending, None).slots
        == make_plan(make_snapshot(nodes, pending), None, BUILTIN_CLASSES, time_limit_s=0).slots
    )


def test_no_node_is_opened_for_it() -> None:
    """The service would rather have a node of its own than keep the job's, but that is dearer."""
    nodes = [*cluster(b=JOB), make_info(make_node("empty", cpu=4000, price=100_000), {})]

    made = plan(nodes, {SERVICE: 1}, outlook({"b": JOB}))

    assert made.slots == {SERVICE: {"b": 1}}


def test_pods_with_other_needs_keep_their_slots_and_count_for_their_node() -> None:
    apart = make_signature("apart", cpu=1000, anti_affinity=(term("apart"),))
    nodes = cluster(a=SERVICE, b=JOB)

    pending = {apart: 2, make_signature("one", cpu=1000): 2}

    made = plan(nodes, pending, outlook({"a": SERVICE, "b": JOB}))

    # one of the first on each node leaves room for one of the others on each
    assert made.slots[apart] == {"a": 1, "b": 1}
    assert made.placed == 4


def test_pods_without_an_owner_are_expected_to_end_apart() -> None:
    bare = dataclasses.replace(SERVICE, owner_key="")
    nodes = cluster(a=SERVICE, b=SERVICE, c=JOB)

    made = plan(nodes, {bare: 2}, outlook({"a": SERVICE, "b": SERVICE, "c": JOB}))

    assert made.slots == {bare: {"a": 1, "b": 1}}


@pytest.mark.parametrize("seed", range(3))
def test_a_plan_with_an_outlook_opens_nothing_dearer(seed: int) -> None:
    nodes = [*cluster(a=SERVICE, b=JOB, c=JOB)]
    nodes += [make_info(make_node(f"e{n}", cpu=4000 * (n % 2 + 1), price=90_000 * (n % 2 + 1)), {}) for n in range(6)]
    pending = {JOB: 3 + seed, SERVICE: 2, make_signature("large", cpu=3000): 2 + seed}

    with_it, without = plan(nodes, pending, outlook({"a": SERVICE, "b": JOB, "c": JOB})), plan(nodes, pending, None)

    assert with_it.placed == without.placed
    assert with_it.cost_micro_usd_per_hour <= without.cost_micro_usd_per_hour
