"""Cold start, warm-up, runs of jobs, and demand hidden by throttling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recommender.remembering.history import window
from recommender.remembering.runs import RUNS, RunHistory
from recommender.remembering.throttling import demand
from recommender.remembering.warm_up import steady_samples, warm_up
from recommender.sizing.cold_start import Peer, guess, similarity
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import ColdStart

GIB = 2**30
JAVA = {"image": "shop/cart", "container": "server", "namespace": "shop"}


def peers(*cpus: int) -> list[Peer]:
    return [Peer(JAVA, cpu, GIB) for cpu in cpus]


def test_similarity_adds_up_what_both_know_and_share() -> None:
    assert similarity(JAVA, JAVA) == 7.0
    assert similarity(JAVA, {"image": "shop/cart"}) == 4.0
    assert similarity({"image": ""}, {"image": ""}) == 0.0


def test_nothing_known_gives_the_size_table() -> None:
    found = guess(JAVA, peers(100, 200), ColdStart())  # two peers are too few
    assert (found.cpu, found.memory, found.source) == (500, 2 * GIB, "size table")


def test_similar_containers_give_their_geometric_mean() -> None:
    found = guess(JAVA, peers(100, 200, 400), ColdStart())
    assert found.cpu == 200
    assert found.source == "similar"
    assert guess({"namespace": "shop"}, peers(100, 200, 400), ColdStart()).source == "size table"


def test_own_data_takes_over_as_it_comes() -> None:
    sizes = [guess(JAVA, peers(100, 200, 400), ColdStart(), (1000, GIB), days).cpu for days in (0.0, 1.0, 5.0, 50.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 200
    # between variance: (2 ln^2 2) / 3 = 0.3203; own weight after 5 days: 5 / (5 + 0.25 / 0.3203) = 0.865; 200 x 5^0.865 = 804.7
    assert sizes[2] == math.ceil(200 * 5 ** (5 / (5 + 0.25 / (2 * math.log(2) ** 2 / 3))))
    assert sizes[3] > 950


def test_own_data_also_takes_over_from_the_size_table() -> None:
    found = guess({}, [], ColdStart(), (125, 2 * GIB), 1.0)
    assert found.cpu == 250  # half way between 500 and 125 on the log scale
    assert found.source == "size table and own"


def start(*levels: float) -> tuple[np.ndarray, np.ndarray]:
    """A start with one sample a minute: the levels given, then 100m for the rest of an hour."""
    return np.arange(60) * 60, np.array([*levels, *[100.0] * (60 - len(levels))])


def test_a_warm_up_common_to_several_starts_is_found() -> None:
    found = warm_up([start(800.0, 500.0, 300.0), start(900.0, 600.0, 300.0)])
    assert (found.seconds, found.starts) == (180, 2)
    assert found.boost == pytest.approx(8.5)
    assert steady_samples(found, np.array([0, 179, 180])).tolist() == [False, False, True]


def test_one_start_or_a_single_odd_one_is_no_warm_up() -> None:
    assert warm_up([start(800.0)]).seconds == 0
    assert warm_up([start(800.0), start(), start()]).seconds == 0


def test_a_start_too_short_to_have_a_steady_level_says_nothing() -> None:
    assert warm_up([(np.arange(5) * 60, np.full(5, 9.0))] * 3).starts == 0


def test_a_high_start_that_never_ends_is_bounded() -> None:
    endless = (np.arange(60) * 60, np.array([900.0] * 20 + [100.0] * 40))
    assert warm_up([endless, endless]).seconds == 900


def test_jobs_are_remembered_by_runs_whatever_the_time_between() -> None:
    runs = RunHistory()
    for number in range(RUNS + 5):
        runs.add(np.array([number * 10**6]), np.array([100.0 + number]), np.array([1e9]))
    runs.add(np.array([], dtype=np.int64), np.array([]), np.array([]))
    seen = window([runs.history], runs.next_run)
    assert runs.count == RUNS + 5
    assert seen.known[0].sum() == RUNS
    assert seen.cpu[0, -1, 0] == pytest.approx(124.0, rel=1e-3)


def test_unthrottled_use_is_the_demand() -> None:
    assert demand(300.0, 1000.0, 0.0) == 300.0


def test_throttled_periods_hide_demand() -> None:
    # f = 1/e: 300 + (1/e) x 1000 / 1
    assert demand(300.0, 1000.0, math.exp(-1)) == pytest.approx(300 + 1000 / math.e)
    assert demand(1000.0, 1000.0, 1.0) == demand(1000.0, 1000.0, 0.95)
    with pytest.raises(ValueError, match="share"):
        demand(1.0, 1.0, 1.5)


@pytest.mark.parametrize("hours", [1, 2, 3, 24])
def test_own_data_that_agrees_with_the_size_table_changes_nothing(hours: int) -> None:
    """500m and 2Gi mixed with themselves; one more by an error of rounding would be 550m on the grid."""
    found = guess({}, [], BUILTIN_CLASSES["standard"].cold_start, (500, 2 * 2**30), hours / 24)

    assert (found.cpu, found.memory) == (500, 2 * 2**30)
