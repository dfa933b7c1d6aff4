"""Increases of counters. Values are core-seconds."""

from recommender.sources.counters import Increase, increases


def test_windows_tile() -> None:
    found, last = increases([(0.0, 10.0), (30.0, 25.0), (60.0, 25.0)], 3600)
    assert found == [Increase(0, 30, 15), Increase(30, 60, 0)]
    assert last == (60.0, 25.0)


def test_the_last_reading_is_the_one_that_the_next_follows() -> None:
    assert increases([(0.0, 10.0)], 3600) == ([], (0.0, 10.0))
    assert increases([(0.0, 10.0), (30.0, 16.0), (60.0, 15.0)], 3600)[1] == (30.0, 16.0)  # not the one behind
    assert increases([(0.0, 10.0), (9000.0, 16.0)], 3600) == ([], (9000.0, 16.0))
    assert increases([], 3600) == ([], None)


def test_readings_come_in_any_order_and_twice() -> None:
    readings = [(60.0, 25.0), (0.0, 10.0), (30.0, 25.0), (0.0, 10.0), (60.0, 25.0)]
    assert increases(readings, 3600)[0] == [Increase(0, 30, 15), Increase(30, 60, 0)]


def test_a_restart_counts_from_zero() -> None:
    # 100 core-s, then a restart: 20 since. Not -80, not 120.
    assert increases([(0.0, 100.0), (60.0, 20.0)], 3600)[0] == [Increase(0, 60, 20, reset=True)]


def test_a_step_back_is_no_restart() -> None:
    # Another replica saw 999 a little earlier: taken for a restart, 999 core-s in 60 s would be 16 cores.
    assert increases([(0.0, 1000.0), (60.0, 999.0), (120.0, 1012.0)], 3600)[0] == [Increase(0, 120, 12)]


def test_a_gap_is_bridged_by_its_own_mean_and_a_long_one_is_not() -> None:
    readings = [(0.0, 0.0), (60.0, 6.0), (660.0, 66.0), (9000.0, 900.0), (9060.0, 906.0)]
    assert increases(readings, 3600)[0] == [Increase(0, 60, 6), Increase(60, 660, 60), Increase(9000, 9060, 6)]


def test_what_is_no_number_is_passed_over() -> None:
    readings = [(0.0, 1.0), (10.0, float("nan")), (20.0, -3.0), (30.0, float("inf")), (40.0, 5.0)]
    assert increases(readings, 3600)[0] == [Increase(0, 40, 4)]
    assert increases([], 3600)[0] == []
    assert increases([(1.0, 1.0)], 3600)[0] == []
