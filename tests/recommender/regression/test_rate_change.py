"""The exact tests behind the step back, against values computed by hand, and their false-alarm rate by simulation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.regression.rate_change import (
    LEAST_HOURS,
    SPANS,
    TEST_LEVEL,
    USUAL_HOURS,
    Counts,
    Hour,
    Shares,
    Tally,
    count_rise,
    high_probability,
    rise_probability,
    throttling_rise,
)
from stowplan.model.profile import Signal

QUIET = Hour(1.0, 0, 0, 0.01)


def counted(hours: list[Hour], signal: Signal = Signal.OOM_RATE) -> Counts:
    counts = Counts()
    for hour in hours:
        counts = counts.plus(hour, signal)
    return counts


def test_the_exact_test_is_the_upper_tail_of_a_binomial() -> None:
    # X ~ B(5, 1/4): P(X >= 4) = 5 * 3/1024 + 1/1024 = 16/1024
    assert rise_probability(4, 1, 0.25) == pytest.approx(16 / 1024)
    # nothing before: all of 6 events fall into a seventh of the time by chance
    assert rise_probability(6, 0, 1 / 7) == pytest.approx((1 / 7) ** 6)
    assert rise_probability(0, 9, 0.5) == 1.0
    assert rise_probability(3, 2, 1.0) == 1.0
    # far beyond what a float holds: 0, not an endless sum
    assert rise_probability(2000, 0, 1e-6) == 0.0


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.01, 0.99))
def test_the_exact_test_is_monotone_in_both_counts(now: int, before: int, share: float) -> None:
    probability = rise_probability(now, before, share)
    assert rise_probability(now + 1, before, share) <= probability + 1e-12
    assert rise_probability(now, before + 1, share) >= probability - 1e-12


def test_the_bound_on_high_hours_is_the_one_of_saw_yang_and_mo() -> None:
    # n = 40, 4 sigma: floor(41/40 (39/16 + 1)) / 41 = floor(3.52) / 41
    assert high_probability(40) == pytest.approx(3 / 41)
    # in the limit Chebyshev's 1 / 16
    assert high_probability(1_000_000) == pytest.approx(1 / 16, rel=1e-4)


@given(st.lists(st.floats(0, 1), min_size=LEAST_HOURS, max_size=80))
def test_the_bound_on_high_hours_holds_for_any_hours_in_any_order(shares: list[float]) -> None:
    # of exchangeable hours each is equally likely the last: the share of positions at which it would be high is its probability
    high = 0
    for at, share in enumerate(shares):
        others = Shares()
        for other in (*shares[:at], *shares[at + 1 :]):
            others = others.plus(Hour(1.0, 0, 0, other))
        high += share > others.high_from
    assert high / len(shares) <= high_probability(len(shares) - 1)


def test_one_bad_hour_is_not_a_rise() -> None:
    usual = counted([QUIET] * 168)
    hours = [QUIET] * 5 + [Hour(1.0, 50, 0)]
    assert count_rise(Signal.OOM_RATE, usual, hours, counted(hours)) is None


def test_a_rise_says_from_what_to_what_in_numbers() -> None:
    usual = counted([QUIET] * 168)
    hours = [QUIET] * 3 + [Hour(1.0, 1, 0)] * 4
    rise = count_rise(Signal.OOM_RATE, usual, hours, counted(hours))
    # 4 kills in the last 4 of 172 hours: (4 / 172)^4 = 2.9e-7, below 0.01 / (336 x 24 x 3) = 4.1e-7
    assert rise is not None
    assert rise.hours == 4
    assert rise.probability == pytest.approx((4 / 172) ** 4)
    assert rise.message == (
        "OOM kills rose from 0 to 24 per container-day (0 in 168 h before, 4 in the last 4 h; p = 3e-07 had nothing changed)"
    )


def test_bursts_that_are_usual_are_divided_out() -> None:
    burst = Hour(10.0, 0, 10)
    quiet = Hour(10.0, 0, 0)
    day = [burst, burst, *[quiet] * 22]
    usual = counted(day * 7, Signal.RESTARTS)
    # 14 bursts of 10 in 168 hours: mean 5/6, variance 10 x 10 / 12 - (5/6)^2 = 7.64, so the dispersion is 9.2
    assert usual.dispersion == pytest.approx(55 / 6)
    hours = [quiet] * 22 + [burst, burst]
    assert count_rise(Signal.RESTARTS, usual, hours, counted(hours, Signal.RESTARTS)) is None
    # were they taken as 140 independent restarts, the two hours of a night would look like a rise: 20 where 1.7 are expected
    assert rise_probability(20, 140, 2 / 170) < TEST_LEVEL


def test_throttling_rises_when_hours_are_high_by_the_workloads_own_measure() -> None:
    usual = Shares()
    for hour in range(168):
        usual = usual.plus(Hour(1.0, 0, 0, 0.02 if hour % 2 else 0.0))
    assert usual.high_from == pytest.approx(0.01 + 4 * 0.01)  # mean 1 %, sigma 1 %
    # chance of a high hour: floor(169/168 (167/16 + 1)) / 169 = 11/169; its 6th power is 7.6e-8, the 5th 1.2e-6
    assert throttling_rise(usual, [Hour(1.0, 0, 0, 0.2)] * 5) is None
    rise = throttling_rise(usual, [Hour(1.0, 0, 0, 0.2)] * 6)
    assert rise is not None
    assert rise.message == (
        "throttled CPU periods rose from 1.0% to 20.0% (above mean + 4 sigma = 5.0% in 6 of the last 6 h; p <= 8e-08 had nothing changed)"
    )
    assert throttling_rise(usual, [Hour(1.0, 0, 0)] * 24) is None, "unknown is not high"


def test_with_few_usual_hours_throttling_is_not_judged() -> None:
    usual = Shares()
    for _ in range(LEAST_HOURS - 1):
        usual = usual.plus(QUIET)
    assert throttling_rise(usual, [Hour(1.0, 0, 0, 1.0)] * 24) is None


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.lists(st.integers(0, 3), min_size=SPANS.start, max_size=24),
    st.integers(0, 23),
)
def test_more_events_never_end_a_rise(before: list[int], now: list[int], at: int) -> None:
    usual = counted([Hour(2.0, n, 0) for n in before])
    more = list(now)
    more[at % len(now)] += 1
    rises = [
        count_rise(Signal.OOM_RATE, usual, hours, counted(hours))
        for hours in ([Hour(2.0, n, 0) for n in counts] for counts in (now, more))
    ]
    if rises[0] is not None:
        assert rises[1] is not None
        assert rises[1].probability <= rises[0].probability * (1 + 1e-9)


def test_an_old_tally_fades_and_stays_bounded() -> None:
    tally = Tally()
    for _ in range(2000):
        tally = tally.faded().plus(Hour(3.0, 1, 0, 0.5))
    assert tally.oom_kills.hours == pytest.approx(USUAL_HOURS)
    assert tally.oom_kills.exposure == pytest.approx(3 * USUAL_HOURS)
    assert tally.throttling.mean == pytest.approx(0.5)
    for _ in range(USUAL_HOURS):
        tally = tally.faded().plus(Hour(3.0, 0, 0, 0.0))
    # (1 - 1/168)^168 = 36.7 % is left after a week
    assert tally.oom_kills.events == pytest.approx(USUAL_HOURS * (1 - 1 / USUAL_HOURS) ** USUAL_HOURS)


def test_an_unchanged_rate_hardly_ever_looks_like_a_rise_and_larger_rises_are_found_more_often() -> None:
    rng = np.random.default_rng(7)

    def alarms(factor: float) -> int:
        found = 0
        for _ in range(100):
            rate = rng.uniform(0.01, 0.5)
            usual = counted([Hour(1.0, int(n), 0) for n in rng.poisson(rate, USUAL_HOURS)])
            hours = [Hour(1.0, int(n), 0) for n in rng.poisson(rate * factor, 24)]
            found += any(
                count_rise(Signal.OOM_RATE, usual, hours[:end], counted(hours[:end])) is not None
                for end in range(1, 25)
            )
        return found

    found = [alarms(factor) for factor in (1.0, 4.0, 10.0, 40.0)]
    assert found[0] == 0  # at most 1 % over two weeks, hence about 0.07 of 100 in a day
    assert all(few <= many for few, many in pairwise(found))
    assert found[-1] >= 95
    assert not math.isnan(TEST_LEVEL)
