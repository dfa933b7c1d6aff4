"""What is expected of pods that stand on nodes."""

import numpy as np
import pytest

from extender.lifetimes.occupancy import Occupancy
from extender.lifetimes.survival import EDGES

PATH = ("shape", "job")


def test_a_pod_is_expected_to_stay_for_ever_until_one_has_ended() -> None:
    occupancy = Occupancy()
    for pod in range(40):
        occupancy.place(pod, PATH, pod, 0, 0)

    assert occupancy.expected_life_s(PATH, 300) == EDGES[-1]

    for pod in range(40):
        occupancy.depart(pod, 600)
    # forty of ten minutes: those that ended in the bin that begins at ten minutes
    assert occupancy.expected_life_s(PATH, 600) == pytest.approx(600, rel=0.5)


def test_a_deadline_bounds_what_a_pod_adds() -> None:
    occupancy = Occupancy()
    occupancy.place("gone", ("shape", "gone"), 0, 0, 0)
    occupancy.depart("gone", 50_000)

    free, bound = (
        float(occupancy.seconds_added(("shape", "new"), np.array([1]), 50_000, ends_s=ends)[0])
        for ends in (None, 51_000.0)
    )

    assert bound == pytest.approx(1000, rel=0.1)
    assert free > 2 * bound


def test_the_earlier_of_its_own_deadline_and_its_owners_bounds_how_long_a_node_is_in_use() -> None:
    occupancy = Occupancy()
    occupancy.place("gone", ("shape", "gone"), 0, 0, 0)
    occupancy.depart("gone", 50_000)
    occupancy.bound("job", 51_000)
    for row, (owner, ends) in enumerate([("job", None), ("job", 50_500), ("job", 52_000), ("other", None)], 1):
        occupancy.place(row, ("shape", owner), row, 50_000, 50_000, ends)

    placed = occupancy.seconds_left(np.arange(1, 5), 50_000)
    renewed = occupancy.seconds_left(np.arange(1, 5), 50_060)
    occupancy.bound("job", None)
    unbound = occupancy.seconds_left(np.arange(1, 5), 50_120)

    # bounds 1000, 500 and 1000 seconds ahead; lives are hours
    assert placed[:3] == pytest.approx([1000, 500, 1000], rel=0.1)
    assert renewed[:3] == pytest.approx([940, 440, 940], rel=0.1)
    assert (unbound[[0, 3]] > 5000).all()
