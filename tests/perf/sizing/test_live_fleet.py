"""The measurement of the live fleet does what the service does; its numbers are for perf, not for tests."""

from perf.sizing.live_fleet import fleet_of, measure


def test_a_small_fleet_is_measured_whole() -> None:
    found = measure(workloads=20)

    assert found["containers"] == 60
    assert found["changed_in_the_second_pass"] == 0
    assert 0 < found["shard_bytes_max"] < 2**20
    assert found["shard_bytes_total"] >= found["shard_bytes_max"]
    assert set(found["pass"]) == {"seconds", "cpu_seconds"}


def test_its_day_is_full() -> None:
    fleet = fleet_of(2)
    (sketches,) = fleet.days.values()

    assert sketches.counts[:6].sum(axis=1).tolist() == [1440] * 6
