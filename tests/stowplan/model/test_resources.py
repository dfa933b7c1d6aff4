"""The effective request of a pod (KEP-753, KEP-2837) and shortfalls with numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.model.quantity import QuantityError
from stowplan.model.resources import Shortfall, add, effective_requests, maximum, parse_amounts, shortfalls


def container(cpu: str = "", limit: str = "", *, sidecar: bool = False) -> dict[str, Any]:
    """A container with a CPU request and limit, where given."""
    resources = {"requests": {"cpu": cpu} if cpu else {}, "limits": {"cpu": limit} if limit else {}}
    return {"resources": resources} | ({"restartPolicy": "Always"} if sidecar else {})


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("1"), container("500m")]}, 1500),  # apps add up
        ({"containers": [container("1")], "initContainers": [container("3")]}, 3000),  # a large init is the peak
        ({"containers": [container("1")], "initContainers": [container("500m")]}, 1000),  # a small one is hidden
        # a sidecar runs beside the apps: 1 + 0.5
        ({"containers": [container("1")], "initContainers": [container("500m", sidecar=True)]}, 1500),
        # an init runs beside the sidecars before it: max(1 + 0.5, 3 + 0.5)
        ({"containers": [container("1")], "initContainers": [container("500m", sidecar=True), container("3")]}, 3500),
        # a sidecar after the init does not: max(1 + 0.5, 3)
        ({"containers": [container("1")], "initContainers": [container("3"), container("500m", sidecar=True)]}, 3000),
        ({"containers": [container(limit="2")]}, 2000),  # a missing request takes the limit
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, 1250),
        # pod-level requests replace the sum; the overhead comes on top
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}, "overhead": {"cpu": "1"}}, 5000),
    ],
)
def test_the_effective_request_is_what_the_scheduler_reserves(spec: dict[str, Any], cpu: int) -> None:
    assert effective_requests(spec)["cpu"] == cpu


def test_limits_count_only_where_written_and_overhead_makes_none() -> None:
    spec = {"containers": [container("1", "2")], "overhead": {"cpu": "1", "memory": "1Gi"}}

    assert effective_requests(spec, "limits") == {"cpu": 3000}


def test_a_pod_without_resources_asks_for_nothing() -> None:
    assert effective_requests({"containers": [{"name": "app"}]}) == {}


def test_an_unreadable_quantity_is_an_error() -> None:
    with pytest.raises(QuantityError, match="1 core"):
        effective_requests({"containers": [container("1 core")]})


def test_shortfalls_name_what_is_missing_in_numbers() -> None:
    asked = parse_amounts({"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "1"})
    used = parse_amounts({"cpu": "3"})
    capacity = parse_amounts({"cpu": "4", "memory": "8Gi"})

    found = shortfalls(asked, used, capacity)

    assert found == [Shortfall("cpu", 2000, 3000, 4000), Shortfall("nvidia.com/gpu", 1, 0, 0)]
    assert str(found[0]) == "cpu: asked 2, used 3 of 4"


def test_zero_fits_everywhere() -> None:
    assert shortfalls({"nvidia.com/gpu": 0}, {}, {}) == []


AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory", "pods"]), st.integers(0, 10**12))


@given(AMOUNTS, AMOUNTS)
def test_adding_is_commutative_and_the_maximum_lies_below_the_sum(left: dict[str, int], right: dict[str, int]) -> None:
    total, largest = add(left, right), maximum(left, right)

    assert total == add(right, left)
    assert largest == maximum(right, left)
    assert all(largest[name] <= total[name] for name in total)
