"""The pass over histories: numbers, provenance, staffing, confidence."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from recommender.remembering.history import History, sketch
from recommender.sizing.prices import Prices, list_prices, split
from recommender.sizing.recommendation import Recommendation, Subject, confidence, recommend
from recommender.sizing.sizing import staffing
from stowplan.catalog.instance_types import load_catalog
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile import Confidence
from tests.support.usage import MONDAY

GIB = 2**30
PRICES = Prices(core=30_000.0, gib=4_000.0)


def steady(days: int, cpu: float = 400.0, memory: float = GIB) -> History:
    history = History()
    for day in range(MONDAY - days, MONDAY):
        history.add(day, sketch(np.arange(288) * 300, np.full(288, cpu), np.full(288, memory)))
    return history


def one(history: History, wclass: str = "standard", **known: Any) -> Recommendation:
    (found,) = recommend([Subject("ns/Deployment/web/main", history, wclass, **known)], MONDAY, BUILTIN_CLASSES, PRICES)
    return found


def test_steady_use_is_requested_with_the_margin_its_level_asks_for() -> None:
    # level 1: no margin; 400m is on the grid
    assert one(steady(20), cpu_level=1.0).cpu == 400
    # level 0.05: all of standard's 15 %: 460m, on the grid 500m
    assert one(steady(20), cpu_level=0.05).cpu == 500


def test_memory_requests_leave_the_reserve_between_request_and_limit() -> None:
    critical, standard = one(steady(20), "critical").memory, one(steady(20), "standard").memory
    assert critical > GIB  # limit = request
    assert standard < critical  # limit = 1.25 x request
    assert standard * 1.25 > GIB


def test_every_number_says_where_it_comes_from() -> None:
    found = one(steady(20), cpu=1000, memory=4 * GIB, cpu_level=1.0)
    assert found.provenance.source == "usage"
    assert found.provenance.samples == 20 * 288
    assert found.provenance.window_days == 20
    assert found.cpu == 700  # 30 % down at most
    assert "cpu step" in found.provenance.clamps
    saved = (1000 - 700) / 1000 * 30_000 + (4 * GIB - found.memory) / GIB * 4_000
    assert found.provenance.saving_micro_usd_per_hour == round(saved)
    assert "unmet demand within 8.0%" in found.provenance.formula


def test_staffing_pools_over_replicas() -> None:
    # A = 10 cores, Q = 1.761: (10 + 1.761 * sqrt 10) / 20 = 0.7784 cores
    assert staffing(10.0, 20, 1761) == 779
    assert staffing(10.0, 1, 1761) == 0
    assert staffing(0.0, 5, 1761) == 0
    with pytest.raises(ValueError, match="replicas"):
        staffing(1.0, 0, 1761)
    found = one(steady(20), replicas=20, busy_cores=10.0)
    assert found.cpu == 800
    assert found.provenance.source == "staffing"
    assert "staffing floor" in found.provenance.clamps


def test_nothing_is_said_of_a_container_never_seen() -> None:
    subjects = [Subject("a", History(), "standard"), Subject("b", steady(3), "standard")]
    assert [found.key for found in recommend(subjects, MONDAY, BUILTIN_CLASSES, PRICES)] == ["b"]


def test_memory_never_observed_is_left_alone() -> None:
    found = one(steady(20, memory=float("nan")), memory=GIB)
    assert found.memory == 0
    assert found.cpu > 0


def test_a_young_workload_does_not_shrink() -> None:
    assert one(steady(6), cpu=1000).cpu == 1000
    assert "cpu held" in one(steady(6), cpu=1000).provenance.clamps
    assert one(steady(7), cpu=1000).cpu == 700


def test_class_bounds_hold() -> None:
    assert one(steady(20, cpu=1.0)).cpu == 25
    assert "class bounds" in one(steady(20, cpu=1.0)).provenance.clamps


def test_relaxed_classes_get_at_least_the_mean() -> None:
    history = History()
    for day in range(MONDAY - 20, MONDAY):
        # half the time 0, half 100m: dev's 50 % of overrun would allow 0
        history.add(day, sketch(np.arange(288) * 300, np.repeat([0.0, 100.0], 144), np.full(288, float("nan"))))
    assert one(history, "dev", cpu_level=1.0).cpu >= 50


@pytest.mark.parametrize(
    ("days", "expected"), [(2, Confidence.LOW), (3, Confidence.MEDIUM), (13, Confidence.MEDIUM), (14, Confidence.HIGH)]
)
def test_confidence_follows_the_history(days: int, expected: Confidence) -> None:
    assert confidence(days, BUILTIN_CLASSES["standard"]) is expected


def test_classes_are_kept_apart_and_order_does_not_matter() -> None:
    subjects = [Subject(f"{name}-{i}", steady(20), name) for i in range(2) for name in BUILTIN_CLASSES]
    forward = {r.key: r for r in recommend(subjects, MONDAY, BUILTIN_CLASSES, PRICES)}
    backward = {r.key: r for r in recommend(subjects[::-1], MONDAY, BUILTIN_CLASSES, PRICES)}
    assert forward == backward
    assert len(forward) == 10


def test_prices_of_core_and_gib_are_solved_from_two_types() -> None:
    catalog = load_catalog()
    compute = dataclasses.replace(catalog["c6i.xlarge"], price_micro_usd_per_hour=160_000)  # 4 cores, 8 GiB
    general = dataclasses.replace(catalog["m6i.xlarge"], price_micro_usd_per_hour=200_000)  # 4 cores, 16 GiB
    # 8 GiB more cost 40,000: 5,000 a GiB; the rest, 160,000 - 40,000, is four cores
    assert split(compute, general) == Prices(30_000.0, 5_000.0)
    assert list_prices().core > list_prices().gib > 0
    with pytest.raises(ValueError, match="equal CPU"):
        split(compute, compute)
