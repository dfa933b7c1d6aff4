"""How old pods are while the system clock jumps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.pod_ages import PodAges
from tests.support.extender import Clock

START = 1_700_000_000
JUMPS = st.integers(-100_000, 100_000)


class Computer:
    """Its clocks, and true time."""

    def __init__(self, wrong_by: float = 0) -> None:
        self.steady = Clock(50)
        self.wrong_by = wrong_by
        self.ages = PodAges(self.steady, lambda: self.true + self.wrong_by)

    @property
    def true(self) -> float:
        """Unix seconds, as the API server has them."""
        return START + self.steady.now - 50


@pytest.mark.parametrize("age", [0, 1, 7200])
def test_a_steady_clock_tells_the_age(age: int) -> None:
    assert Computer().ages.age(START - age) == age


def test_a_pod_from_the_future_is_new() -> None:
    assert Computer().ages.age(START + 30) == 0


@given(JUMPS, st.integers(0, 10**6))
def test_a_clock_that_goes_wrong_makes_no_new_pod_old(jump: int, later: int) -> None:
    here = Computer()
    here.steady.now += later
    here.wrong_by = jump

    assert here.ages.age(here.true) == 0


@given(JUMPS, st.integers(0, 10**6))
def test_nor_does_one_that_is_put_right(wrong_by: int, later: int) -> None:
    here = Computer(wrong_by)
    here.steady.now += later
    here.wrong_by = 0

    assert here.ages.age(here.true) == 0


@given(JUMPS, st.integers(0, 10**6))
def test_no_pod_is_older_than_it_is_nor_younger_by_more_than_the_jump(jump: int, age: int) -> None:
    here = Computer()
    here.wrong_by = jump

    assert max(0, age - abs(jump)) <= here.ages.age(here.true - age) <= age
