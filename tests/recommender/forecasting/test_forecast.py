"""Requests for a price and for a stated risk, against distributions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.forecasting import forecast, peaks
from recommender.forecasting.forecast import Forecast
from recommender.remembering.history import History, sketch, window
from tests.support.usage import MONDAY

GIB = 2.0**30


def of(use: list[float]) -> Forecast:
    """A forecast of equally likely amounts."""
    amounts = np.array([use])
    share = 1 / len(use)
    overrun = 1 - share * (1 + np.arange(len(use)))
    unmet = np.array([[share * sum(max(0.0, v - r) for v in use) for r in use]])
    return Forecast(amounts, np.maximum(overrun, 0)[None, :], unmet, np.array([float(np.mean(use))]))


TENS = of([10.0 * v for v in range(1, 11)])
"""10, 20, ... 100 millicores, each a tenth of the time; mean 55."""


def test_the_newsvendor_requests_the_quantile_of_the_risk() -> None:
    assert forecast.at_price(TENS, 0.25, 0.0).tolist() == [80.0]  # P(use > 80) = 0.2 <= 0.25 < P(use > 70)


def test_a_price_of_overrun_moves_the_request_up() -> None:
    # 80 -> 90 costs 10 and saves (3 - 1) / 0.25 = 8 of unmet and 0.1 x price: worth it from a price of 20; 90 -> 100 saves 4: from 60
    assert forecast.at_price(TENS, 0.25, 15.0).tolist() == [80.0]
    assert forecast.at_price(TENS, 0.25, 30.0).tolist() == [90.0]
    assert forecast.at_price(TENS, 0.25, 70.0).tolist() == [100.0]


def test_a_stated_risk_is_the_smallest_request_that_keeps_both_bounds() -> None:
    loose = np.array([0.9])
    assert forecast.within_risk(TENS, np.array([0.2]), loose).tolist() == [80.0]
    # unmet at 70: 0.1 x (10 + 20 + 30) = 6 = 0.109 of 55; at 80: 3 = 0.055
    assert forecast.within_risk(TENS, loose, np.array([0.10])).tolist() == [80.0]
    assert forecast.within_risk(TENS, loose, np.array([0.11])).tolist() == [70.0]


def test_unmet_demand_counts_load_not_time() -> None:
    # 9 of 10 moments at 1m, one at 91m: a percentile of time asks for 1m, but 90 of the 100 parts of work are above it
    bursty = of([1.0] * 9 + [91.0])
    assert forecast.percentile(bursty, 0.9).tolist() == [1.0]
    assert forecast.within_risk(bursty, np.array([0.1]), np.array([0.89])).tolist() == [91.0]
    assert forecast.within_risk(bursty, np.array([0.1]), np.array([0.91])).tolist() == [1.0]


def history(levels: list[float], memory: float = GIB) -> History:
    made = History()
    for age, level in enumerate(reversed(levels), start=1):
        made.add(MONDAY - age, sketch(np.arange(24) * 3600, np.full(24, level), np.full(24, memory)))
    return made


def test_a_forecast_mixes_days_by_weight() -> None:
    seen = window([history([100.0, 200.0])], MONDAY)
    weights = np.zeros((1, 56))
    weights[0, -2:] = [3.0, 1.0]
    made = forecast.forecast(seen, weights)
    assert made.mean[0] == pytest.approx(125.0, rel=1e-3)
    assert forecast.percentile(made, 0.7)[0] == pytest.approx(100.0, rel=1e-3)
    assert forecast.percentile(made, 0.8)[0] == pytest.approx(200.0, rel=1e-3)


def test_a_container_without_a_day_has_no_request() -> None:
    made = forecast.forecast(window([History()], MONDAY), np.zeros((1, 56)))
    assert np.isnan(forecast.percentile(made, 0.9)[0])


def test_imagined_use_takes_part_by_its_weight() -> None:
    seen = window([history([100.0])], MONDAY)
    weights = np.zeros((1, 56))
    weights[0, -1] = 3.0
    made = forecast.forecast(seen, weights, (np.array([[1000.0, 3000.0]]), np.array([[0.5, 0.5]])))
    assert made.mean[0] == pytest.approx(0.75 * 100 + 0.125 * 1000 + 0.125 * 3000, rel=1e-3)


def test_steady_memory_is_covered_with_a_little_headroom() -> None:
    made = peaks.peak_forecast(window([history([1.0] * 20)], MONDAY))
    tight, loose = (peaks.within_risk(made, np.array([risk]))[0] for risk in (0.02, 0.2))
    assert GIB < loose < tight < 1.6 * GIB


def test_a_price_is_bounded_by_the_largest_probability_allowed() -> None:
    made = peaks.peak_forecast(window([history([1.0] * 20)], MONDAY))
    free = peaks.at_price(made, 0.0, 1.0)[0]
    bounded = peaks.at_price(made, 0.0, 0.05)[0]
    assert free <= GIB < bounded


def test_memory_never_observed_gives_no_amount() -> None:
    made = peaks.peak_forecast(window([history([1.0], memory=float("nan"))], MONDAY))
    assert np.isnan(peaks.within_risk(made, np.array([0.1])))[0]
