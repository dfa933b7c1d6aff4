"""The Vertical Pod Autoscaler re-implemented, against values worked out from its formulas."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.amounts import DAY_S
from recommender.replaying.baselines.vpa import MemoryPeaks, Vpa, confidence, lower_bound, upper_bound
from recommender.replaying.strategy import Requests
from tests.support.usage import recording

MIB = 2**20
NOTHING = Requests(np.array([np.nan]), np.array([np.nan]), np.array([np.nan]))
QUIET = np.array([False])


def test_target_is_the_end_of_the_p90_bucket_plus_15_percent_rounded_up() -> None:
    vpa = Vpa(recording({"a": [100.0] * 24}))
    vpa.observe(0, NOTHING, QUIET)
    # 100m: 100 * 0.05 / 10 + 1 = 1.5; ln 1.5 / ln 1.05 = 8.31 -> bucket 8, which ends at 10 * (1.05^9 - 1) / 0.05 = 110.27; x 1.15 = 126.8
    assert vpa.recommend(1).cpu.tolist() == [127.0]


def test_floors_are_shared_among_the_containers_of_a_pod() -> None:
    vpa = Vpa(recording({"a": [0.0] * 24}, {"a": [1.0] * 24}))
    vpa.observe(0, NOTHING, QUIET)
    assert vpa.recommend(1).cpu.tolist() == [25.0]
    assert vpa.recommend(1).memory.tolist() == [250.0 * MIB]


def test_nothing_is_recommended_before_the_first_sample() -> None:
    requests = Vpa(recording({"a": [1.0]})).recommend(0)
    assert np.isnan(requests.cpu[0])
    assert np.isnan(requests.memory[0])


def peaks_of(*samples: tuple[int, float]) -> MemoryPeaks:
    peaks = MemoryPeaks(1)
    peaks.add(0, np.array([t for t, _ in samples]), np.array([m for _, m in samples]))
    return peaks


def test_one_peak_counts_for_each_window_of_24_hours_from_the_first_sample() -> None:
    # first window [1000, 1000 + 86400): peak 3e7; the second holds one sample of 1e9, which weighs twice as much (a half-life later)
    peaks = peaks_of((1000, 2e7), (5000, 3e7), (1000 + DAY_S, 1e9))
    assert np.count_nonzero(peaks.histograms.weights) == 2
    assert peaks.histograms.percentile(0.33)[0] == pytest.approx(3.1525e7)  # 3e7 is in [2.05e7, 3.1525e7)
    assert peaks.histograms.percentile(0.34)[0] > 1e9


def test_a_window_split_over_two_calls_still_has_one_peak() -> None:
    peaks = peaks_of((0, 2.5e7))
    peaks.add(0, np.array([3600]), np.array([5e8]))
    assert np.count_nonzero(peaks.histograms.weights) == 1
    assert peaks.histograms.percentile(0.01)[0] > 5e8


def test_an_oom_kill_counts_as_a_peak_above_the_request() -> None:
    small, large = peaks_of((0, 1e8)), peaks_of((0, 1e8))
    small.record_oom(0, 100.0 * MIB)  # + 100 MiB beats x 1.2
    large.record_oom(0, 1000.0 * MIB)  # x 1.2 beats + 100 MiB
    for peaks, needed in ((small, 200.0 * MIB), (large, 1200.0 * MIB)):
        value = peaks.histograms.percentile(0.9)[0]
        assert needed <= value < needed * 1.06  # the end of its bucket


def test_breaches_are_learned_unless_switched_off() -> None:
    usage = recording({"a": [1.0] * 24}, {"a": [300.0 * MIB] * 24})
    asked = Requests(np.array([25.0]), np.array([280.0 * MIB]), np.array([280.0 * MIB]))
    with_oom, without = Vpa(usage), Vpa(usage, learn_from_oom=False)
    for vpa in (with_oom, without):
        vpa.observe(0, asked, np.array([True]))
    # 280 + 100 = 380 MiB beats the peak of 300 MiB
    assert with_oom.recommend(1).memory[0] > 380 * MIB * 1.15
    assert without.recommend(1).memory[0] < 380 * MIB * 1.15


def test_bounds_narrow_with_confidence() -> None:
    # 24 h of samples a minute: confidence 1; upper x 2, lower x 1.001^-2; half a day: upper x 3
    one = confidence(np.array([0]), np.array([DAY_S]), np.array([1440]))
    half = confidence(np.array([0]), np.array([DAY_S]), np.array([720]))
    assert one.tolist() == [1.0]
    assert upper_bound(np.array([100.0]), one).tolist() == [200.0]
    assert upper_bound(np.array([100.0]), half).tolist() == [300.0]
    assert lower_bound(np.array([100.0]), one)[0] == pytest.approx(100 / 1.001**2)
    assert np.isinf(upper_bound(np.array([100.0]), np.array([0.0])))[0]
    assert lower_bound(np.array([100.0]), np.array([0.0])).tolist() == [0.0]
