"""Pods that stand, by whatever they are known and by numbers."""

from __future__ import annotations

from array import array
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from extender.lifetimes.occupancy import REFRESH_S, Occupancy
from extender.lifetimes.standing import NumberedPods
from extender.lifetimes.survival import EDGES

OWNERS = ("job", "web", "")

steps = st.lists(
    st.tuples(
        st.integers(0, 200),  # the pod
        st.sampled_from(OWNERS),
        st.integers(0, 5),  # its node
        st.integers(0, 5000),  # its age
        st.integers(0, 400),  # seconds until the next step
    ),
    max_size=60,
)


def path(pod: int, owner: str) -> tuple[object, ...]:
    return ("shape", owner or pod)


@given(steps)
def test_numbered_pods_teach_the_same_and_so_does_what_does_not_follow_each_placement(
    taken: list[tuple[int, str, int, int, int]],
) -> None:
    plain = Occupancy()
    numbered = Occupancy(standing=NumberedPods(), on_node=partial(array, "i"), follow=False)
    now = 10_000.0
    for pod, owner, node, age, seconds in taken:
        for occupancy in (plain, numbered):
            if pod in occupancy:
                occupancy.depart(pod, now)
            else:
                occupancy.place(pod, path(pod, owner), node, now, now - age, now + 900 if age % 7 == 0 else None)
        now += seconds
    now += REFRESH_S
    assert sorted(map(str, plain.pods())) == sorted(map(str, numbered.pods()))
    for row in range(6):
        assert sorted(map(str, plain.residents(row))) == sorted(map(str, numbered.residents(row)))
    rows = np.arange(6)
    assert numbered.seconds_left(rows, now) == pytest.approx(plain.seconds_left(rows, now), rel=1e-4, abs=1e-3)
    for owner in OWNERS:
        new = path(999, owner)
        assert numbered.expected_life_s(new, now) == pytest.approx(plain.expected_life_s(new, now))
        assert numbered.seconds_added(new, rows, now) == pytest.approx(
            plain.seconds_added(new, rows, now), rel=1e-4, abs=1e-3
        )
    assert plain.expected_life_s(path(999, ""), now) <= EDGES[-1]


def test_only_who_stands_has_a_slot() -> None:
    pods = NumberedPods()
    assert list(pods.slots()) == []
    assert pods.add(70, 0, 1.0, 2.0) == 70  # beyond the first allocation
    assert (len(pods), list(pods.slots()), 70 in pods, 71 in pods, "70" in pods) == (1, [70], True, False, False)
    with pytest.raises(KeyError):
        pods.slot(3)
    with pytest.raises(TypeError, match="give one that is not negative"):
        pods.add(-1, 0, 1.0, 2.0)
    assert pods.remove(70) == (0, 1.0, 2.0)
    assert len(pods) == 0
    with pytest.raises(KeyError):
        pods.remove(70)
