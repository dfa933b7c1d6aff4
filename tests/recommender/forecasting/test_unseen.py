"""Days unlike any that was seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecasting import forecast, peaks
from recommender.forecasting.prior import POINTS, prior_use
from recommender.forecasting.unseen import FACTORS, LARGEST, unseen_share, unseen_use
from recommender.remembering.history import History, sketch, window
from tests.support.usage import MONDAY

GIB = 2.0**30


def steady(days: int, cpu: float = 400.0) -> History:
    made = History()
    for age in range(1, days + 1):
        made.add(MONDAY - age, sketch(np.arange(24) * 3600, np.full(24, cpu), np.full(24, GIB)))
    return made


def test_the_share_of_unseen_days_falls_with_the_days_seen_and_never_ends() -> None:
    assert unseen_share(np.array([1, 3, 19])).tolist() == pytest.approx([0.2, 0.1, 0.02])
    assert unseen_share(np.array([39, 400])).tolist() == pytest.approx([0.01, 0.01])


def test_the_factors_are_quantiles_of_the_tail() -> None:
    # P(factor > x) = x^-1.2 at the middle of each sixth: the median of 6 points lies between 5/12 and 7/12
    assert FACTORS[2] ** -1.2 == pytest.approx(5 / 12)
    assert max(FACTORS) <= LARGEST
    assert min(FACTORS) > 1


def test_a_memory_limit_for_a_stated_risk_is_larger_after_a_single_day_by_the_law() -> None:
    one, many = (peaks.peak_forecast(window([steady(n)], MONDAY)) for n in (1, 50))
    # after one day 0.2 x^-1.2 = 0.04 at x = 5^(1 / 1.2) = 3.82; the grid of amounts rounds up by less than 5 %
    assert 3.82 * GIB <= peaks.within_risk(one, np.array([0.04]))[0] <= 1.05 * 3.82 * GIB
    assert peaks.within_risk(many, np.array([0.04]))[0] < 1.4 * GIB


def test_unseen_use_has_the_shape_of_the_typical_day_and_the_weight_of_its_share() -> None:
    of = window([steady(3), History()], MONDAY)
    weights = np.where(of.known, 2.0, 0.0)
    amounts, more = unseen_use(of, weights)
    assert np.unique(amounts[0].round(3)).tolist() == pytest.approx((400 * np.sort(FACTORS)).tolist(), rel=1e-3)
    # three days of weight 2 and a share of 0.1: 6 x 0.1 / 0.9
    assert more[0].sum() == pytest.approx(6 * 0.1 / 0.9)
    assert more[1].sum() == 0.0
    made = forecast.forecast(of, weights, (amounts, more))
    assert forecast.percentile(made, 0.89)[0] == pytest.approx(400, rel=1e-3)
    # half of the unseen days, in sixths, are above the third smallest factor: (7 / 12)^(-1 / 1.2)
    assert forecast.percentile(made, 0.95)[0] == pytest.approx(400 * (7 / 12) ** (-1 / 1.2), rel=1e-3)
    assert np.isnan(made.mean[1])


@given(st.integers(1, 20), st.floats(0.01, 0.3))
def test_more_days_of_the_same_never_ask_for_more(days: int, risk: float) -> None:
    fewer, more = (
        peaks.within_risk(peaks.peak_forecast(window([steady(n)], MONDAY)), np.array([risk]))[0]
        for n in (days, days + 1)
    )
    assert more <= fewer


def test_peers_count_a_quarter_of_the_first_day_and_halve_with_each_day_more() -> None:
    of = window([steady(1), steady(2), steady(4), History()], MONDAY)
    weights = np.where(of.known, 2.0, 0.0)
    use, more = prior_use(of, weights)
    assert use.shape == more.shape == (4, POINTS)
    # of two per day: 0.25 x 2, then 0.125 x 2, then 0.03125 x 2; who has no day of its own has the peers' alone
    assert more.sum(axis=1).tolist() == pytest.approx([0.5, 0.25, 0.0625, 1.0])
