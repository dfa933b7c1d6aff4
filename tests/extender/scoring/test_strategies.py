"""Strategies against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from extender.scoring import DEFAULT_STRATEGY, STRATEGIES, Candidate, expected_cost, strategy_named
from extender.scoring.price_weighted_best_fit import OPENING

GIB = 2**30


def candidate(used_cpu: int = 0, used_gib: int = 0, price: int = 200_000, *, occupied: bool = True) -> Candidate:
    """A node of 4 cores and 16 GiB for a pod of 1 core and 4 GiB."""
    return Candidate(
        asked={"cpu": 1000, "memory": 4 * GIB, "pods": 1},
        used={"cpu": used_cpu, "memory": used_gib * GIB},
        allocatable={"cpu": 4000, "memory": 16 * GIB, "pods": 110},
        price_micro_usd_per_hour=price,
        occupied=occupied,
    )


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        # half used + the pod's quarter leave a quarter of both: 250 of 1000
        ("least-allocated", candidate(2000, 8), 250),
        ("most-allocated", candidate(2000, 8), 750),
        ("cheapest", candidate(2000, 8), -200_000),
        # in use: (3 * 250 + 250) / 4 free, in thousandths of the price
        ("price-weighted-best-fit", candidate(2000, 8), -200_000 * 250),
        # empty: 15 % of the price, and 85 % of the pod's share of it (a quarter): 150 + 212
        ("price-weighted-best-fit", candidate(occupied=False), -OPENING - 200_000 * 362),
        # CPU full (0), memory 12 of 16 GiB free (750): (3 * 750 + 0) / 4 = 562
        ("price-weighted-best-fit", candidate(3000, 0), -200_000 * 562),
        # a quarter of the node stays free: a quarter of half an hour in hundredths of a second
        (DEFAULT_STRATEGY, candidate(2000, 8), -200_000 * 45_000),
        # and the node is in use ten minutes longer
        (DEFAULT_STRATEGY, structs.replace(candidate(2000, 8), added_cs=60_000), -200_000 * 105_000),
        # CPU full (0), memory 12 of 16 GiB free (3/4): 9/16 of half an hour
        (DEFAULT_STRATEGY, candidate(3000, 0), -200_000 * 101_250),
        # latency is a share of the price, a tenth of half an hour here; a node of the drain set comes after all others in use
        (DEFAULT_STRATEGY, structs.replace(candidate(2000, 8), latency=100), -200_000 * 63_000),
        (
            DEFAULT_STRATEGY,
            structs.replace(candidate(2000, 8), starved=True),
            -expected_cost.STARVING - 200_000 * 45_000,
        ),
        # empty: as above
        (DEFAULT_STRATEGY, candidate(occupied=False), -expected_cost.OPENING - 200_000 * 362),
    ],
)
def test_values(name: str, given: Candidate, expected: int) -> None:
    assert strategy_named(name)(given) == expected


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (candidate(2000, 8), candidate(1000, 4)),  # best fit
        (candidate(0, 0, occupied=True), candidate(0, 0, occupied=False)),  # do not open a node
        (candidate(0, 0, price=900_000), candidate(occupied=False, price=1000)),  # not even a cheap one
        (candidate(2000, 8, price=100_000), candidate(2000, 8, price=200_000)),  # room on the cheaper one is worth less
        (candidate(2000, 8), candidate(3000, 4)),  # same mean, nothing stranded
    ],
    ids=["fuller", "in use", "in use and dear", "cheaper", "balanced"],
)
def test_best_fit_in_money_prefers(better: Candidate, worse: Candidate) -> None:
    best_fit = strategy_named(DEFAULT_STRATEGY)

    assert best_fit(better) > best_fit(worse)


def test_filling_one_resource_pays_even_where_it_strands_the_other() -> None:
    # A pod of CPU mostly: on the fuller node more memory is left alone, yet opening up room elsewhere is worth more.
    def after(used_cpu: int) -> int:
        node = candidate(used_cpu)
        return strategy_named(DEFAULT_STRATEGY)(node)

    assert after(0) < after(1000) < after(2000) < after(3000)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_takes_a_node_that_names_neither_cpu_nor_memory(name: str) -> None:
    bare = Candidate({"pods": 1}, {}, {"pods": 1}, 10, occupied=False)

    assert isinstance(strategy_named(name)(bare), int)


def test_an_unknown_strategy_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ValueError, match=r"'fastest'.*price-weighted-best-fit, most-allocated"):
        strategy_named("fastest")


@pytest.mark.parametrize("occupied", [True, False])
@pytest.mark.parametrize(("cpu", "gib"), [(0, 0), (1000, 5), (2500, 3), (3000, 12)])
def test_expected_costs_of_arrays_are_those_of_single_candidates(*, cpu: int, gib: int, occupied: bool) -> None:
    given = structs.replace(candidate(cpu, gib, occupied=occupied), added_cs=12_345)
    price, added = np.array([200_000]), np.array([12_345])
    size = (np.array([4000]), np.array([16 * GIB]))
    left = (size[0] - cpu - 1000, size[1] - (gib + 4) * GIB)

    if occupied:
        free = expected_cost.free_times(left[0], size[0], left[1], size[1])
        costs = expected_cost.costs_in_use(price, added, free)
    else:
        asked = expected_cost.asked_shares_of(1000, size[0], 4 * GIB, size[1])
        costs = expected_cost.costs_of_opening(price, asked)

    assert costs.tolist() == [-strategy_named(DEFAULT_STRATEGY)(given)]
