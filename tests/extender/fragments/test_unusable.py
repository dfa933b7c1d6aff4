"""The measure of unusable GPU, and rooms with one pod more, on nodes small enough to count by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from extender.fragments.room import Demand, Room
from extender.fragments.unusable import PodMix, unusable

GPU, SLICE = 0, 1
WHOLE = Demand(1000, 0, GPU, 1)
ROOT = 1 / 3


def pool(cpu: int, left: int, of: int, *, memory: int = 0, accepts: Sequence[bool] = (True,)) -> Room:
    """A node whose GPUs are handed out whole."""
    return room(cpu, [(left, of, GPU, 1.0)], memory=memory, accepts=accepts)


def shared(cpu: int, *left: int, accepts: Sequence[bool] = (True,)) -> Room:
    """A node whose devices hold 100 units each."""
    return room(cpu, [(free, 100, GPU, 0.01) for free in left], accepts=accepts)


def room(
    cpu: int, devices: Sequence[tuple[int, int, int, float]], *, memory: int = 0, accepts: Sequence[bool] = (True,)
) -> Room:
    """A node; a device is what is left, its size, its resource, and the GPUs of a unit."""
    left, size, resource = (np.array([[device[place]] for device in devices], np.int64) for place in range(3))
    return Room(
        np.array([cpu]),
        np.array([memory]),
        left,
        size,
        resource,
        np.array([[gpus] for *_, gpus in devices]),
        np.array([[accepted] for accepted in accepts]),
    )


def of(*kinds: tuple[Demand, int]) -> PodMix:
    return PodMix.of(kinds)


@pytest.mark.parametrize(
    ("cpu", "left", "share"),
    [
        (9000, 2, 1.0),  # room for both
        (1000, 2, 0.5),  # CPU for one pod, GPUs for two
        (999, 2, 0.0),  # for none
        (-500, 2, 0.0),  # overcommitted
        (9000, 0, 1.0),  # nothing free: nothing unusable
    ],
)
def test_what_copies_of_one_pod_leave(cpu: int, left: int, share: float) -> None:
    # the share that was filled counts with its cube root
    assert unusable(of((WHOLE, 1)), pool(cpu, left, 2))[0] == pytest.approx(left * (1 - share**ROOT))


def test_memory_limits_as_cpu_does() -> None:
    thirsty = Demand(0, 10, GPU, 1)

    assert unusable(of((thirsty, 1)), pool(0, 2, 2, memory=15))[0] == pytest.approx(2 * (1 - 0.5**ROOT))


def test_shares_have_to_fit_on_a_device() -> None:
    half = Demand(0, 0, GPU, 50)

    # 60 and 40 are left, that is one GPU: a half fits once
    assert unusable(of((half, 1)), shared(0, 60, 40))[0] == pytest.approx(1 - 0.5**ROOT)
    # both are a half of the time whole: no device is free, so all of it is unusable for those
    assert unusable(of((half, 1), (Demand(0, 0, GPU, 100), 1)), shared(0, 60, 40))[0] == pytest.approx(
        1 - 0.5 * 0.5**ROOT
    )


def test_more_than_a_device_holds_are_whole_devices() -> None:
    pair = Demand(0, 0, GPU, 200)

    assert unusable(of((pair, 1)), shared(0, 100, 100, 100))[0] == pytest.approx(3 * (1 - (2 / 3) ** ROOT))
    assert unusable(of((pair, 1)), shared(0, 100, 90))[0] == pytest.approx(1.9)
    assert shared(0, 100, 90, 100).with_pod(pair).left[:, 0].tolist() == [0, 90, 0]


def test_kinds_count_as_often_as_they_are_seen_and_where_they_may_stand() -> None:
    mix = of((WHOLE, 3), (Demand(8000, 0, GPU, 1), 1))

    # three of four pods can use both GPUs, one of four none
    assert unusable(mix, pool(2000, 2, 2, accepts=(True, True)))[0] == pytest.approx(2 * (1 - 0.75))
    assert unusable(mix, pool(2000, 2, 2, accepts=(False, True)))[0] == pytest.approx(2)


def test_devices_of_another_resource_are_of_no_use() -> None:
    mixed = room(9000, [(1, 1, GPU, 1.0), (2, 2, SLICE, 1.0)])

    # one of three free devices is a GPU
    assert unusable(of((WHOLE, 1)), mixed)[0] == pytest.approx(3 * (1 - (1 / 3) ** ROOT))
    after = mixed.with_pod(Demand(0, 0, SLICE, 1))
    assert after.left[:, 0].tolist() == [1, 1]


def test_a_share_goes_where_it_leaves_least() -> None:
    after = shared(1000, 100, 60, 50).with_pod(Demand(400, 7, GPU, 50))

    assert after.left[:, 0].tolist() == [100, 60, 0]
    assert (int(after.cpu[0]), int(after.memory[0])) == (600, -7)


def test_a_share_for_which_no_device_has_room_leaves_them_as_they_are() -> None:
    assert shared(1000, 40, 30).with_pod(Demand(0, 0, GPU, 50)).left[:, 0].tolist() == [40, 30]


def test_amounts_beyond_all_reason_do_not_overflow() -> None:
    absurd = Demand(2**62, 2**62, GPU, 1)

    assert unusable(of((absurd, 1)), pool(9000, 8, 8, memory=2**40))[0] == 8
