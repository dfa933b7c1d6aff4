"""All or nothing, from annotation to plan."""

from __future__ import annotations

import dataclasses

import pytest

from extender.binpacking.planning import CP_SAT, GREEDY, make_plan
from extender.binpacking.validation import validate
from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.plan import Plan
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.node import Node
from stowplan.model.placement import parse_gang
from stowplan.model.pod import Gang
from tests.support.clusters import make_info, make_node, make_signature, make_snapshot, term

TRAIN = make_signature("train", cpu=2000, gang=Gang("train", least=3))
WEB = make_signature("web", cpu=2000)


def plan(snapshot: Snapshot, *, solve: bool) -> Plan:
    return make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0, work_limit=1.0 if solve else None)


@pytest.mark.parametrize("solve", [False, True])
def test_a_group_that_does_not_fit_as_a_whole_leaves_its_room_to_others(solve: bool) -> None:
    # one node of 4 cores: two of the three, or two of the other application
    made = plan(make_snapshot([make_node("a")], {TRAIN: 3, WEB: 2}), solve=solve)
    assert made.slots == {WEB: {"a": 2}}
    assert [(u.signature, u.count) for u in made.unplaced] == [(TRAIN, 3)]


@pytest.mark.parametrize("solve", [False, True])
def test_a_group_that_fits_is_placed_and_more_than_the_least_may_be(solve: bool) -> None:
    made = plan(make_snapshot([make_node("a"), make_node("b")], {TRAIN: 5}), solve=solve)
    assert made.placed == 4  # two nodes of two


def test_one_group_gives_way_so_that_another_is_complete() -> None:
    """Three slots of 2 cores; two groups of two: both in part would be of no use. The more important one stays."""
    first = make_signature("first", cpu=2000, gang=Gang("first", least=2), priority=5)
    second = make_signature("second", cpu=2100, gang=Gang("second", least=2), priority=1)
    nodes = [make_node("a"), make_node("b", cpu=2100)]
    made = plan(make_snapshot(list(nodes), {first: 2, second: 2}), solve=False)
    assert (sum(made.slots[first].values()), made.source, second in made.slots) == (2, GREEDY, False)


def test_the_solver_starts_the_group_that_the_greedy_gave_up() -> None:
    """Bins of 10 cores; 4, 4, 3, 3, 3, 3 in decreasing order need three of them: 4+4, 3+3+3, 3. Two hold them as 4+3+3 each."""
    gang = Gang("train", least=6)
    pending = {
        make_signature("four", cpu=4000, memory=1, gang=gang): 2,
        make_signature("three", cpu=3000, memory=1, gang=gang): 4,
    }
    snapshot = make_snapshot([make_node(n, cpu=10_000) for n in "ab"], pending)
    assert plan(snapshot, solve=False).placed == 0
    made = plan(snapshot, solve=True)
    assert (made.placed, made.source) == (6, CP_SAT)


def test_too_few_pods_of_a_group_say_how_many_are_needed() -> None:
    (unplaced,) = plan(make_snapshot([make_node("a")], {TRAIN: 1}), solve=False).unplaced
    assert (unplaced.reason, str(unplaced.shortfalls[0])) == ("Gang", "pods of group train: asked 3, used 0 of 1")


def test_a_pod_group_says_its_least_number_and_without_one_there_is_no_group() -> None:
    member = make_signature("train", cpu=2000, gang=Gang("train"))
    snapshot = make_snapshot([make_node("a")], {member: 3})
    assert plan(snapshot, solve=False).placed == 2
    known = dataclasses.replace(snapshot, pod_groups={("shop", "train"): 3})
    assert plan(known, solve=False).placed == 0


def test_the_whole_group_counts_what_stands_and_what_waits() -> None:
    member = make_signature("train", cpu=2000, gang=Gang("Job/train", whole=True))
    nodes: list[Node | NodeInfo] = [make_info(make_node("a"), {member: 1}), make_node("b", cpu=2000)]
    assert plan(make_snapshot(list(nodes), {member: 2}), solve=True).placed == 2
    assert plan(make_snapshot(list(nodes), {member: 3}), solve=True).placed == 0


def test_the_validator_drops_a_group_in_part_and_who_needs_its_company() -> None:
    near = make_signature("near", cpu=100, affinity=(term("train"),))
    snapshot = make_snapshot([make_node("a"), make_node("b")], {TRAIN: 3, near: 1})
    assert validate(snapshot, {TRAIN: {"a": 2}, near: {"a": 1}}).slots() == {}
    whole = {TRAIN: {"a": 1, "b": 2}, near: {"a": 1}}
    assert validate(snapshot, whole).slots() == whole


@pytest.mark.parametrize(
    ("written", "labels", "owner", "gang"),
    [
        (None, {}, "Job/train", None),
        ("all", {}, "Job/train", Gang("Job/train", whole=True)),
        ("8", {}, "Job/train", Gang("Job/train", least=8)),
        ("8", {}, "", None),  # nobody to count
        ("many", {}, "Job/train", None),
        (None, {"scheduling.x-k8s.io/pod-group": "g"}, "Job/train", Gang("g")),
        ("4", {"scheduling.x-k8s.io/pod-group": "g"}, "", Gang("g", least=4)),
        (None, {"pod-group.scheduling.sigs.k8s.io": "g"}, "", Gang("g")),
    ],
)
def test_groups_as_written(written: str | None, labels: dict[str, str], owner: str, gang: Gang | None) -> None:
    assert parse_gang(written, labels, owner) == gang
