"""Whether a group is complete, and how many slots its held pods need."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from extender.gating.groups import Groups, Need
from extender.gating.held import HeldPods
from stowplan.model.pod import Gang, Pod, PodSignature
from tests.support.extender import pod, signature

OWNER = ("shop", "Job/train")


def of_job(gang: Gang, owner_key: str = "Job/train") -> PodSignature:
    return signature(gang=gang, owner_key=owner_key)


def need(
    held_pods: int,
    others: int,
    gang: Gang,
    *,
    wanted: Mapping[tuple[str, str], int] | None = None,
    least: Mapping[tuple[str, str], int] | None = None,
    owner_key: str = "Job/train",
) -> Need | None:
    """What a group of so many held pods and so many others needs."""
    held, sig = HeldPods(), of_job(gang, owner_key)
    pods: list[Pod] = [pod(f"h{i}", sig, held=True) for i in range(held_pods)]
    for one in (*pods, *(pod(f"s{i}", sig, node="n1") for i in range(others))):
        held.upsert(one)
    return Groups(held, lambda key: (wanted or {}).get(key, 0), lambda: least or {}).need(pods)


@pytest.mark.parametrize(
    ("held", "others", "expected"),
    [
        (2, 0, Need(complete=False, slots=2)),  # two of three are there
        (3, 0, Need(complete=True, slots=3)),
        (5, 0, Need(complete=True, slots=3)),  # three together are enough
        (1, 2, Need(complete=True, slots=1)),  # one comes back to two that stand
        (2, 4, Need(complete=True, slots=1)),  # enough stand: they need nothing of each other, but go on with one slot
    ],
)
def test_a_written_number_counts_those_that_stand(held: int, others: int, expected: Need) -> None:
    assert need(held, others, Gang("Job/train", least=3)) == expected


def test_a_pod_groups_number_counts_once_it_is_known() -> None:
    group = {("shop", "train"): 4}

    assert need(4, 0, Gang("train"), least=group) == Need(complete=True, slots=4)
    assert need(3, 0, Gang("train"), least=group) == Need(complete=False, slots=3)
    assert need(3, 0, Gang("train")) is None


def test_all_is_what_the_owner_wants() -> None:
    whole = Gang("Job/train", whole=True)

    assert need(3, 0, whole, wanted={OWNER: 4}) == Need(complete=False, slots=3)
    assert need(4, 0, whole, wanted={OWNER: 4}) == Need(complete=True, slots=4)
    assert need(1, 3, whole, wanted={OWNER: 4}) == Need(complete=True, slots=1)


def test_all_of_an_owner_that_is_not_known_yet_is_waited_for() -> None:
    assert need(3, 0, Gang("Job/train", whole=True)) == Need(complete=False, slots=1)


@pytest.mark.parametrize("owner_key", ["PyTorchJob/train", ""])
def test_all_of_an_owner_that_nobody_counts_cannot_be_waited_for(owner_key: str) -> None:
    assert need(3, 0, Gang("g", whole=True), owner_key=owner_key) is None


def test_a_pod_without_a_group_needs_nothing() -> None:
    assert Groups(HeldPods(), lambda _: 0, dict).need([pod("a")]) is None
