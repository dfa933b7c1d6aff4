"""Quantiles from histograms, derived by hand, and by laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.metrics import Histogram, Latency, latency_of, latency_of_values, read_counter, read_histogram

PAGE = """\
# HELP other_seconds Not ours.
# TYPE other_seconds counter
other_seconds_total 7.0
# HELP call_seconds Ours.
# TYPE call_seconds histogram
call_seconds_bucket{le="0.001",verb="filter"} 10.0
call_seconds_bucket{le="0.002",verb="filter"} 30.0
call_seconds_bucket{le="+Inf",verb="filter"} 40.0
call_seconds_count{verb="filter"} 40.0
call_seconds_sum{verb="filter"} 0.06
call_seconds_bucket{le="0.001",verb="prioritize"} 5.0
call_seconds_bucket{le="0.002",verb="prioritize"} 5.0
call_seconds_bucket{le="+Inf",verb="prioritize"} 5.0
call_seconds_count{verb="prioritize"} 5.0
call_seconds_sum{verb="prioritize"} 0.001
"""


def test_series_are_summed_per_bucket() -> None:
    histogram = read_histogram(PAGE, "call_seconds")

    assert histogram.buckets == {0.001: 15.0, 0.002: 35.0, math.inf: 45.0}
    assert histogram.count == 45.0


def test_labels_choose_series() -> None:
    assert read_histogram(PAGE, "call_seconds", {"verb": "prioritize"}).count == 5.0


def test_an_absent_histogram_is_empty_and_has_no_quantiles() -> None:
    histogram = read_histogram(PAGE, "absent_seconds")

    assert histogram.count == 0.0
    assert histogram.quantile(0.5) is None
    assert latency_of(histogram) is None


def test_a_name_that_is_the_beginning_of_another_is_not_mixed_up() -> None:
    page = PAGE + "# TYPE call_seconds_more histogram\n" + 'call_seconds_more_bucket{le="+Inf"} 100.0\n'

    assert read_histogram(page, "call_seconds").count == 45.0


def test_a_counter_is_summed_by_one_label() -> None:
    page = """\
# TYPE answers_total counter
answers_total{verb="filter",outcome="planned"} 3.0
answers_total{verb="prioritize",outcome="planned"} 2.0
answers_total{verb="filter",outcome="greedy"} 1.0
# TYPE answers_created gauge
answers_created{verb="filter",outcome="planned"} 1.7e9
"""

    assert read_counter(page, "answers", "outcome") == {"planned": 5, "greedy": 1}
    assert read_counter(page, "absent", "outcome") == {}


@pytest.mark.parametrize(
    ("q", "seconds"),
    [
        # 40 observations: 10 up to 1 ms, 20 more up to 2 ms, 10 above.
        (0.125, 0.0005),  # rank 5: half way through the first bucket, which begins at zero
        (0.25, 0.001),  # rank 10: the end of the first bucket
        (0.5, 0.0015),  # rank 20: 10 of the 20 of the second bucket
        (0.99, 0.002),  # rank 39.6 is in the unbounded bucket: its lower bound
    ],
)
def test_quantiles_are_linear_within_a_bucket(q: float, seconds: float) -> None:
    histogram = read_histogram(PAGE, "call_seconds", {"verb": "filter"})

    assert histogram.quantile(q) == pytest.approx(seconds)


def test_a_difference_holds_what_came_between() -> None:
    earlier = Histogram({0.001: 10.0, math.inf: 10.0})
    later = Histogram({0.001: 12.0, math.inf: 16.0})

    between = later.minus(earlier)

    assert between.buckets == {0.001: 2.0, math.inf: 6.0}
    assert later.minus(Histogram()) == later


@given(
    counts=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    q=st.floats(0.01, 1.0),
    higher=st.floats(0.0, 1.0),
)
def test_a_quantile_grows_with_q_and_stays_within_the_bounds(counts: list[int], q: float, higher: float) -> None:
    total, buckets = 0, {}
    for index, count in enumerate(counts):
        total += count
        buckets[0.001 * 2**index] = float(total)
    histogram = Histogram({**buckets, math.inf: float(total)})
    value, above = histogram.quantile(q), histogram.quantile(q + (1 - q) * higher)

    if total == 0:
        assert value is None
        return
    assert value is not None
    assert above is not None
    assert 0 <= value <= above + 1e-12
    assert above <= max(buckets) + 1e-12


def test_single_values_give_nearest_rank_quantiles() -> None:
    # 100 values of 1 to 100 ms: the 50th is 50 ms, the 99th is 99 ms.
    assert latency_of_values([n / 1000 for n in range(100, 0, -1)]) == Latency(50.0, 99.0)
    assert latency_of_values([]) is None
