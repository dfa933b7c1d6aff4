"""Buckets, decay and percentiles."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.replaying.histogram import VPA_CPU, VPA_MEMORY, DecayingHistograms

DAY = 86_400


def test_the_autoscaler_has_176_buckets_for_both_resources() -> None:
    # ceil(log_1.05(1000 * 0.05 / 0.01 + 1)) + 1 = ceil(ln 5001 / ln 1.05) + 1 = ceil(174.57) + 1 = 176
    assert VPA_CPU.count == 176
    assert VPA_MEMORY.count == 176  # 1e12 * 0.05 / 1e7 + 1 = 5001: the same


def test_bucket_starts_follow_the_geometric_sum() -> None:
    # 10 * (1.05^n - 1) / 0.05: 0, 10, 20.5, 31.525
    assert VPA_CPU.starts[:4] == pytest.approx([0.0, 10.0, 20.5, 31.525])


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (9.99, 0), (10.1, 1), (20.6, 2), (1e9, 175)])
def test_values_fall_into_the_bucket_that_holds_them(value: float, bucket: int) -> None:
    assert VPA_CPU.index(np.array([value])).tolist() == [bucket]


def filled(*samples: tuple[float, int], half_life_s: float = DAY) -> DecayingHistograms:
    histograms = DecayingHistograms(VPA_CPU, half_life_s, 2)
    for value, t_s in samples:
        histograms.add(np.array([0]), np.array([value]), np.array([t_s]))
    return histograms


def test_a_percentile_is_the_end_of_its_bucket() -> None:
    histograms = filled(*[(5.0, 0)] * 9, (25.0, 0))
    assert histograms.percentile(0.9)[0] == pytest.approx(10.0)  # 9 of 10 in the first bucket, which ends at 10
    assert histograms.percentile(0.91)[0] == pytest.approx(31.525)  # the bucket of 25 is [20.5, 31.525)


def test_a_row_without_samples_has_no_percentile() -> None:
    assert np.isnan(filled((5.0, 0)).percentile(0.5)[1])


def test_a_sample_one_half_life_older_weighs_half() -> None:
    # weights 1 (5m, old) and 2 (25m, new): the old one holds a third of the weight
    histograms = filled((5.0, 0), (25.0, DAY))
    assert histograms.percentile(0.33)[0] == pytest.approx(10.0)
    assert histograms.percentile(0.34)[0] == pytest.approx(31.525)


def test_weights_stay_in_proportion_when_the_reference_time_moves() -> None:
    late = 1_700_000_000
    # 150 half-lives later the reference has moved; the two old samples, a day apart, must still be 1 : 2
    histograms = filled((5.0, late), (25.0, late + DAY), (500.0, late + 150 * DAY))
    weights = histograms.weights[0]
    assert weights[2] / weights[0] == pytest.approx(2.0)
    assert weights.sum() == pytest.approx(1.0)
    assert histograms.percentile(0.5)[0] > 500


def test_taking_a_sample_away_leaves_the_rest() -> None:
    histograms = filled((5.0, 0), (25.0, 0))
    histograms.add(np.array([0]), np.array([25.0]), np.array([0]), -1.0)
    assert histograms.percentile(1.0)[0] == pytest.approx(10.0)
