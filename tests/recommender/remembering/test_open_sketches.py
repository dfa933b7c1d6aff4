"""Counts in place of samples."""

import numpy as np
import pytest

from recommender.remembering.open_sketches import BUCKETS, MIDDLES, STARTS, Batch, OpenSketches, bucket_of
from tests.support.fleets import MIDNIGHT


def _batch(cpu: list[float], hours: list[int], replicas: int = 1, row: int = 0) -> Batch:
    count = len(cpu)
    return Batch(
        np.full(count, row),
        MIDNIGHT + np.array(hours, dtype=np.int64) * 3600 + 60,
        np.full(count, 60),
        np.array(cpu),
        np.full(count, np.nan),
        np.ones(count, dtype=np.bool_),
        np.full(count, replicas),
    )


def test_buckets_hold_what_lies_between_their_starts() -> None:
    assert bucket_of(np.array([0.0, 0.99, 1.0, 1.049, 1.05, 1e12])).tolist() == [0, 0, 1, 1, 2, BUCKETS - 1]
    assert bucket_of(MIDDLES).tolist() == list(range(BUCKETS))
    assert bucket_of(STARTS).tolist() == list(range(BUCKETS))
    assert STARTS[-1] == pytest.approx(1.05**254)  # 240,000 millicores: no node has that many


def test_the_busiest_hour_counts_all_replicas() -> None:
    sketches = OpenSketches()
    sketches.add(_batch([100.0, 300.0], [3, 3], replicas=2))
    sketches.add(_batch([150.0], [4], replicas=8))

    busy = sketches.busy_hour(0)

    assert (busy.cores, busy.replicas) == (1.2, 8)  # 150 m x 8 = 1.2 cores, more than (100 + 300) / 2 x 2 = 0.4


def test_the_last_two_hours_stand_for_the_evening() -> None:
    sketches = OpenSketches()
    sketches.add(_batch([900.0, 100.0, 300.0], [10, 21, 22]))

    assert sketches.sketches(np.array([0]))[0].late_cpu == pytest.approx(200.0)


def test_use_above_an_amount_is_taken_as_even_within_its_bucket() -> None:
    sketches = OpenSketches()
    sketches.add(_batch([100.0, 100.0, 400.0, 400.0], [1, 2, 3, 4]))
    # between the two buckets: half of the samples are above, by the middle of their bucket less 200
    middle = MIDDLES[bucket_of(np.array([400.0]))][0]

    overrun, unmet, _ = sketches.above(np.array([0]), np.array([200.0]))

    assert overrun[0] == 0.5
    assert unmet[0] == pytest.approx((middle - 200) / 2)


def test_a_cleared_row_is_as_new() -> None:
    sketches = OpenSketches()
    sketches.add(_batch([100.0], [1], row=2))
    sketches.raise_memory(2, 5.0)

    sketches.clear(2)

    assert sketches.used().tolist() == []
    assert sketches.sketches(np.array([0, 2, 10_000])) == {}
