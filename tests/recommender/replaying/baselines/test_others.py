"""KRR, Autopilot and doing nothing, against values worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recommender.replaying.baselines.autopilot import AutopilotWindow
from recommender.replaying.baselines.krr import KrrSimple
from recommender.replaying.baselines.provisioned import AsProvisioned
from recommender.replaying.strategy import Requests
from tests.support.usage import recording

MIB = 2**20
NOTHING = Requests(np.array([np.nan]), np.array([np.nan]), np.array([np.nan]))
QUIET = np.array([False])


def test_krr_takes_p95_of_cpu_and_the_peak_of_memory_plus_15_percent() -> None:
    usage = recording({"a": [float(v) for v in range(101)]}, {"a": [200.0 * MIB] * 100 + [400.0 * MIB]})
    requests = KrrSimple(usage).recommend(4)  # days 0 to 3: 96 samples, fewer than 100
    assert np.isnan(requests.cpu[0])
    long = recording({"a": [float(v) for v in range(101)] + [0.0]}, {"a": [200.0 * MIB] * 102}, step_s=600)
    requests = KrrSimple(long).recommend(0)
    assert np.isnan(requests.cpu[0])
    minute = recording({"a": [*(float(v) for v in range(101)), *[0.0] * 1400]}, {"a": [200.0 * MIB] * 1501}, step_s=60)
    requests = KrrSimple(minute).recommend(1)
    # 1440 samples of day 0: 1..100 once, the rest 0: rank 0.95 * 1439 = 1367.05 of the sorted values; 1340 zeros, so 1367.05 - 1339 = 28.05
    assert requests.cpu.tolist() == [29.0]
    assert requests.memory.tolist() == [230.0 * MIB]
    assert requests.memory_limit.tolist() == [230.0 * MIB]


def test_krr_forgets_what_is_older_than_14_days() -> None:
    usage = recording({"a": [900.0] * 24 + [100.0] * 24 * 15}, step_s=3600)
    assert KrrSimple(usage).recommend(14).cpu[0] > 100
    assert KrrSimple(usage).recommend(15).cpu.tolist() == [100.0]


def test_krr_has_floors() -> None:
    usage = recording({"a": [1.0] * 24 * 6}, {"a": [1.0] * 24 * 6})
    requests = KrrSimple(usage).recommend(5)
    assert requests.cpu.tolist() == [10.0]
    assert requests.memory.tolist() == [100.0 * MIB]


def test_autopilot_weighs_serving_by_load_and_takes_the_mean_for_batch() -> None:
    usage = recording({"a": [15.0] * 20 + [1000.0] * 4})
    serving, batch = AutopilotWindow(usage), AutopilotWindow(usage, batch=True)
    for sizer in (serving, batch):
        sizer.observe(0, NOTHING, QUIET)
    # nearly all load is at 1000m (bucket [976, 1034]): p95 of load is its end, + 15 %
    assert serving.recommend(1).cpu[0] == pytest.approx(1.15 * 1025, rel=0.06)
    # the last 4 of 24 hours at 1000m, weighed up by the half-life of 12 h: between the plain mean 179m and 1.15 * 0.3 * 1000m
    assert 1.15 * 179 < batch.recommend(1).cpu[0] < 1.15 * 330


def test_autopilot_takes_the_peak_of_memory_for_serving() -> None:
    usage = recording({"a": [1.0] * 24}, {"a": [100.0 * MIB] * 23 + [200.0 * MIB]})
    sizer = AutopilotWindow(usage)
    sizer.observe(0, NOTHING, QUIET)
    assert sizer.recommend(1).memory.tolist() == [230.0 * MIB]


def test_as_provisioned_repeats_the_recording() -> None:
    usage = recording({"a": [1.0] * 25})
    usage = dataclasses.replace(usage, cpu_provisioned=np.array([500.0] * 24 + [1000.0]))
    sizer = AsProvisioned(usage)
    assert sizer.recommend(0).cpu.tolist() == [500.0]
    assert sizer.recommend(1).cpu.tolist() == [1000.0]
    assert np.isnan(sizer.recommend(0).memory[0])
