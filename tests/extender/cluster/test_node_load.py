"""Measured load: bands, their memory, and what has come since."""

from __future__ import annotations

import pytest

from extender.cluster.node_load import LoadWindows, NodeLoad, Sample, busy_cpu


def sample(cpu: int, requested: int = 1000) -> Sample:
    return Sample(cpu, 4000, requested)


@pytest.mark.parametrize(
    ("cpu", "band"),
    [(0, 0), (1, 0), (5, 50), (200, 50), (204, 100), (2000, 500), (4400, 1100)],  # 204 of 4000 is 51 permille
)
def test_loads_are_rounded_up_to_bands(cpu: int, band: int) -> None:
    assert LoadWindows().add({"n": sample(cpu)}) == {"n": NodeLoad(band, 1000)}


def test_the_largest_of_the_last_ten_samples_counts() -> None:
    windows = LoadWindows()
    windows.add({"n": sample(3000)})  # 750
    for _ in range(9):
        assert windows.add({"n": sample(400)})["n"].permille == 750
    assert windows.add({"n": sample(400)})["n"].permille == 100


def test_a_band_is_left_upwards_at_once_and_downwards_only_clearly() -> None:
    def after(first: int, then: int) -> int:
        windows = LoadWindows()
        windows.add({"n": sample(first * 4)})
        for _ in range(10):
            seen = windows.add({"n": sample(then * 4)})
        return seen["n"].permille

    assert after(390, 401) == 450
    assert after(410, 395) == 450  # 450 is no more than 395 + 50 + 25
    assert after(410, 370) == 400  # it is more than 370 + 75


def test_nodes_that_are_not_measured_any_more_are_forgotten() -> None:
    windows = LoadWindows()
    windows.add({"a": sample(3000), "b": sample(3000)})
    assert windows.add({"b": sample(100)}).keys() == {"b"}
    assert windows.add({"a": sample(100)}) == {"a": NodeLoad(50, 1000)}
    assert windows.add({"z": Sample(1, 0, 0)}) == {}  # a node that offers nothing


def test_busy_is_as_measured_and_requested_by_what_came_since() -> None:
    assert busy_cpu({"cpu": 3000}, 4000, None) == 3000
    assert busy_cpu({"cpu": 3000}, 4000, NodeLoad(250, 3000)) == 1000
    assert busy_cpu({"cpu": 3500}, 4000, NodeLoad(250, 3000)) == 1500
    assert busy_cpu({"cpu": 1000}, 4000, NodeLoad(250, 3000)) == 1000  # pods left; the next measurement will show it
