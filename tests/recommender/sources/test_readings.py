"""From series to samples. Readings are at 60 s; grid times are when they were asked for."""

from __future__ import annotations

import math

import pytest

from recommender.sources.prometheus_api import Labels, Series
from recommender.sources.readings import Reading, Readings, extract

APP = Labels("shop", "web-0", "app", "/kubepods/a")


def series(values: dict[float, float], labels: Labels = APP) -> list[Series]:
    return [Series(labels, [(at, repr(value)) for at, value in values.items()])]


def readings(
    cpu: dict[float, float],
    measured_at: dict[float, float],
    memory: dict[float, float] | None = None,
    throttled: dict[float, float] | None = None,
    periods: dict[float, float] | None = None,
    started: dict[float, float] | None = None,
) -> Readings:
    bare = Labels("shop", "web-0", "app")
    return Readings(
        60,
        series(cpu),
        series(measured_at),
        series(memory or {}, bare),
        series(throttled or {}),
        series(periods or {}),
        series(started or {}),
    )


def test_a_sample_stands_for_the_time_between_two_readings() -> None:
    # Asked at 60 and 120, measured at 55.2 and 118.4: 6.32 core-s in 63.2 s are 100 millicores.
    found = extract(
        readings({60: 10.0, 120: 16.32}, {60: 55.2, 120: 118.4}, {120: 5e8}, {60: 0, 120: 30}, {60: 100, 120: 220}),
        3600,
        {},
    )
    (sample,) = found.samples
    assert (sample.t_s, sample.window_s) == (118, 63)
    assert sample.cpu == pytest.approx(100.0)
    assert sample.memory == 5e8
    assert sample.throttled == pytest.approx(0.25)  # 30 of 120 periods
    assert found.newest == {APP: Reading(118.4, 16.32, 30.0, 220.0)}


def test_a_reading_that_is_repeated_is_no_measurement() -> None:
    # Not scraped from 60 to 240: Prometheus repeats the old value. No zeros, and no peak when it catches up: 18 core-s in 180 s.
    cpu = {60.0: 10.0, 120.0: 10.0, 180.0: 10.0, 240.0: 28.0}
    found = extract(readings(cpu, {60: 60, 120: 60, 180: 60, 240: 240}), 3600, {})
    (sample,) = found.samples
    assert (sample.t_s, sample.window_s) == (240, 180)
    assert sample.cpu == pytest.approx(100.0)


def test_what_was_delivered_is_not_delivered_again() -> None:
    cpu, at = {60.0: 1.0, 120.0: 2.0, 180.0: 3.0}, {60.0: 60.0, 120.0: 120.0, 180.0: 180.0}
    found = extract(readings(cpu, at), 3600, {APP: Reading(120.0, 2.0, math.nan, math.nan)})
    assert [s.t_s for s in found.samples] == [180]
    assert [s.t_s for s in extract(readings(cpu, at), 3600, {}, 120.0).samples] == [180]


def test_a_gap_is_bridged_from_the_reading_that_is_known() -> None:
    # Last read at -900 by the answers before; not scraped until 120: 102 core-s in 1020 s, and 51 of 10200 periods throttled.
    known = {APP: Reading(-900.0, 10.0, 9.0, 1000.0)}
    found = extract(readings({120: 112.0}, {120: 120}, None, {120: 60}, {120: 11200}), 3600, known)
    (sample,) = found.samples
    assert (sample.t_s, sample.window_s) == (120, 1020)
    assert sample.cpu == pytest.approx(100.0)
    assert sample.throttled == pytest.approx(51 / 10200)
    assert found.newest == {APP: Reading(120.0, 112.0, 60.0, 11200.0)}


def test_a_start_after_the_known_reading_begins_at_zero() -> None:
    known = {APP: Reading(0.0, 10.0, math.nan, math.nan)}
    found = extract(readings({120: 2.0}, {120: 120}, started={120: 100}), 3600, known)
    assert [(s.t_s, s.window_s, round(s.cpu, 6)) for s in found.samples] == [(120, 20, 100)]


def test_a_first_reading_is_kept_for_the_answers_that_follow() -> None:
    found = extract(readings({120: 2.0}, {120: 118}), 3600, {})
    assert (found.samples, found.newest) == ([], {APP: Reading(118.0, 2.0, math.nan, math.nan)})


def test_a_reset_is_counted_and_its_throttling_unknown() -> None:
    counted = {60.0: 600.0, 120.0: 30.0}
    found = extract(readings({60: 50, 120: 6}, {60: 60, 120: 120}, None, counted, counted), 3600, {})
    (sample,) = found.samples
    assert sample.cpu == pytest.approx(100.0)  # 6 core-s since, in 60 s
    assert math.isnan(sample.throttled)
    assert found.resets == 1


def test_a_value_without_its_time_is_no_reading() -> None:
    assert extract(readings({60: 1, 120: 2}, {60: 60}), 3600, {}).samples == []


def test_no_periods_say_nothing_about_throttling() -> None:
    still = {60.0: 5.0, 120.0: 5.0}
    (sample,) = extract(readings({60: 1, 120: 2}, {60: 60, 120: 120}, None, still, still), 3600, {}).samples
    assert math.isnan(sample.throttled)
    assert math.isnan(sample.memory)


def test_the_start_of_a_container_is_a_reading_of_zero() -> None:
    # Started at 100, read once at 118: 1.8 core-s in 18 s, of 180 periods 45 throttled. A short job is seen by one reading.
    found = extract(readings({120: 1.8}, {120: 118}, None, {120: 45}, {120: 180}, {120: 100}), 3600, {})
    (sample,) = found.samples
    assert (sample.t_s, sample.window_s) == (118, 18)
    assert sample.cpu == pytest.approx(100.0)
    assert sample.throttled == pytest.approx(0.25)
    assert found.resets == 0


def test_a_start_that_was_seen_before_or_long_ago_is_none() -> None:
    seen = extract(readings({60: 5, 120: 11}, {60: 60, 120: 120}, started={60: 10, 120: 10}), 3600, {})
    assert [(s.t_s, s.window_s) for s in seen.samples] == [(120, 60)]
    old = extract(readings({120: 11000}, {120: 120.0}, started={120: -3600.0}), 3600, {})
    assert old.samples == []


def test_a_restart_within_one_series_is_cut_at_the_start() -> None:
    # Where the cgroup is not kept: read at 60 and 120, started again at 150, read at 180 (3 core-s in 30 s) and 240.
    cpu = {60.0: 600.0, 120.0: 606.0, 180.0: 3.0, 240.0: 9.0}
    started = {60.0: -9000.0, 120.0: -9000.0, 180.0: 150.0, 240.0: 150.0}
    found = extract(readings(cpu, {at: at for at in cpu}, started=started), 3600, {})
    assert [(s.t_s, s.window_s, round(s.cpu, 6)) for s in found.samples] == [
        (120, 60, 100),
        (180, 30, 100),
        (240, 60, 100),
    ]
    assert found.resets == 0
