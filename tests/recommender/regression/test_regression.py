"""The step back of a workload from the first hour to the last: when it starts, what it holds to, how it repeats, and how it ends."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.regression.rate_change import PROBATION_HOURS, Hour
from recommender.regression.regression import (
    HOUR_S,
    STEP_BACK_S,
    Watch,
    apply,
    careful_level,
    no_less_than_good,
    observe,
    stepping_back,
)
from recommender.regression.regression_codec import watch_of, watch_state
from recommender.risk import LEVEL_MIN
from stowplan.model.profile import Signal

GIB = 2**30
BEFORE = {"app": (1000, 4 * GIB)}
SMALLER = {"app": (500, 2 * GIB)}
CAREFUL = {"app": (1000, 5 * GIB)}
QUIET = Hour(3.0, 0, 0, 0.0)
KILLED = Hour(3.0, 2, 0, 0.0)


class Clock:
    """Feeds hours to a watch."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = Watch() if watch is None else watch
        self.now = 1_800_000_000

    def hours(self, hours: Iterable[Hour]) -> None:
        """The next hours, one after the other."""
        for hour in hours:
            self.now += HOUR_S
            self.watch = observe(self.watch, hour, self.now)

    def apply(self, sizes: dict[str, tuple[int, int]]) -> None:
        """Sizes in force from now on."""
        self.watch = apply(self.watch, sizes, self.now)

    def until_a_step_back(self, hour: Hour, most: int = 24) -> int:
        """Hours until a new step back starts."""
        for count in range(1, most + 1):
            self.hours([hour])
            regression = stepping_back(self.watch, self.now)
            if regression is not None and regression.since_s == self.now:
                return count
        pytest.fail(f"no step back within {most} h")


@pytest.fixture
def clock() -> Clock:
    """A week at the old size without an incident, then a smaller size."""
    clock = Clock()
    clock.apply(BEFORE)
    clock.hours([QUIET] * 168)
    clock.apply(SMALLER)
    return clock


def test_a_clear_rise_of_oom_kills_is_found_within_a_day(clock: Clock) -> None:
    clock.hours([QUIET] * 30)
    # 2 kills an hour on 3 containers, none in 168 h before: after two hours (6 / (6 + 504))^4 = 1.9e-8
    assert clock.until_a_step_back(KILLED) == 2
    regression = clock.watch.regression
    assert regression is not None
    assert (regression.signal, regression.step) == (Signal.OOM_RATE, 1)
    assert regression.since_s == clock.now
    assert regression.until_s == clock.now + STEP_BACK_S
    assert regression.message.startswith("OOM kills rose from 0 to 16 per container-day")


@pytest.mark.parametrize(
    ("bad", "signal"), [(Hour(3.0, 0, 1), Signal.RESTARTS), (Hour(3.0, 0, 0, 0.3), Signal.THROTTLING)]
)
def test_restarts_and_throttling_are_found_too(clock: Clock, bad: Hour, signal: Signal) -> None:
    clock.until_a_step_back(bad)
    assert clock.watch.regression is not None
    assert clock.watch.regression.signal is signal


def test_a_rise_before_anything_was_applied_is_nobodys_fault() -> None:
    clock = Clock()
    clock.apply(BEFORE)
    clock.hours([QUIET] * 168 + [KILLED] * 24)
    assert clock.watch.regression is None


def test_a_size_that_took_nothing_away_is_not_blamed() -> None:
    clock = Clock()
    clock.apply(BEFORE)
    clock.hours([QUIET] * 168)
    clock.apply({"app": (500, 4 * GIB)})  # less CPU, the same memory
    clock.hours([KILLED] * 24)
    assert clock.watch.regression is None
    clock.until_a_step_back(Hour(3.0, 0, 2))  # restarts may come from less CPU: probes that time out


def test_a_request_where_none_was_took_something_away() -> None:
    clock = Clock()
    clock.apply({"app": (0, 0)})
    clock.hours([QUIET] * 168)
    clock.apply(SMALLER)
    clock.until_a_step_back(KILLED)


def test_many_small_steps_are_held_against_what_was_before_all_of_them(clock: Clock) -> None:
    for memory in range(19, 9, -1):
        clock.hours([QUIET] * 12)
        clock.apply({"app": (500, memory * GIB // 10)})
    assert clock.watch.good == BEFORE
    clock.until_a_step_back(KILLED)


def test_two_weeks_without_a_rise_prove_a_size(clock: Clock) -> None:
    clock.hours([QUIET] * PROBATION_HOURS)
    assert clock.watch.good == SMALLER
    assert clock.watch.applied_s == 0


def test_a_size_applied_shortly_before_the_end_of_the_two_weeks_has_its_own(clock: Clock) -> None:
    clock.hours([QUIET] * (PROBATION_HOURS - 2))
    clock.apply({"app": (250, GIB)})
    clock.hours([QUIET] * 4)
    assert clock.watch.good == SMALLER
    assert clock.watch.applied_s == clock.watch.changed_s > 0
    clock.until_a_step_back(KILLED)


def test_a_repetition_doubles_the_care_and_a_later_one_starts_anew(clock: Clock) -> None:
    clock.until_a_step_back(KILLED)
    clock.apply(CAREFUL)
    clock.hours([QUIET] * 24)
    assert clock.until_a_step_back(KILLED) == 2
    assert clock.watch.regression is not None
    assert clock.watch.regression.step == 2
    clock.apply({"app": (1000, 8 * GIB)})
    clock.hours([QUIET] * (14 * 24 + 1))
    assert stepping_back(clock.watch, clock.now) is None, "14 days without a rise end it"
    clock.hours([QUIET] * 14 * 24)
    clock.apply(SMALLER)
    clock.until_a_step_back(KILLED)
    assert clock.watch.regression.step == 1


def test_an_old_size_that_comes_back_after_the_end_and_fails_again_is_a_repetition(clock: Clock) -> None:
    clock.until_a_step_back(KILLED)
    clock.apply(CAREFUL)
    clock.hours([QUIET] * (14 * 24 + 1))
    clock.apply(SMALLER)
    clock.until_a_step_back(KILLED)
    assert clock.watch.regression is not None
    assert clock.watch.regression.step == 2
    assert clock.watch.good == CAREFUL, "two weeks without a rise have proven it"


def test_a_careful_size_that_was_never_applied_does_not_escalate_and_bad_hours_do_not_become_usual(
    clock: Clock,
) -> None:
    clock.until_a_step_back(KILLED)
    clock.hours([KILLED] * 14 * 24)
    assert clock.watch.regression is not None
    assert clock.watch.regression.step == 1
    assert clock.watch.usual.oom_kills.events == 0
    clock.until_a_step_back(KILLED)
    assert clock.watch.regression.step == 1


def test_hours_without_a_pod_change_nothing(clock: Clock) -> None:
    before = clock.watch
    clock.hours([Hour(0.0, 0, 0)] * 5)
    assert clock.watch == before


@given(
    st.floats(LEVEL_MIN, 1.0),
    st.integers(0, 10),
    st.integers(1, 4000),
    st.integers(1, 8 * GIB),
)
def test_each_step_is_more_careful_and_never_below_the_last_good_size(
    level: float, step: int, cpu: int, memory: int
) -> None:
    assert LEVEL_MIN <= careful_level(level, step + 1) <= careful_level(level, step) <= level
    watch = apply(Watch(), BEFORE, 1)
    (sized,) = no_less_than_good(watch, {"app": (cpu, memory)}).values()
    assert sized == (max(cpu, 1000), max(memory, 4 * GIB))
    assert no_less_than_good(watch, {"new": (cpu, memory)}) == {"new": (cpu, memory)}


def test_each_step_halves_the_level() -> None:
    assert [careful_level(0.4, step) for step in range(4)] == [0.4, 0.2, 0.1, 0.05]
    assert careful_level(0.4, 30) == LEVEL_MIN


hours = st.builds(
    Hour, st.floats(0, 50), st.integers(0, 5), st.integers(0, 5), st.one_of(st.just(math.nan), st.floats(0, 1))
)


@given(st.lists(hours, max_size=60), st.integers(0, 60))
def test_a_checkpoint_is_small_and_goes_on_as_if_nothing_had_happened(of: list[Hour], at: int) -> None:
    one = Clock()
    one.apply(BEFORE)
    one.hours(of[:at])
    one.apply(SMALLER)
    one.hours(of[at:])
    text = json.dumps(watch_state(one.watch))
    assert len(text) < 2000
    again = Clock(watch_of(json.loads(text)))
    again.now = one.now
    assert watch_state(again.watch) == json.loads(text)
    one.hours([KILLED] * 3)
    again.hours([KILLED] * 3)
    found = [stepping_back(clock.watch, clock.now) for clock in (one, again)]
    assert (found[0] is None) == (found[1] is None)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"format": 2}, "format 2 is not 1"),
        ({"sizes": {}}, "damaged"),
        ({"usual": [[1], [2]]}, "damaged"),
        ({"recent": [[-1, 0, 0, None]]}, "damaged"),
        ({"regression": ["Sorrow", 1, 2, "", 1, False]}, "damaged"),
    ],
)
def test_a_damaged_checkpoint_says_what_to_do(clock: Clock, change: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part) as error:
        watch_of({**watch_state(clock.watch), **change})
    assert "learn again" in str(error.value)


def test_workloads_whose_rates_do_not_change_keep_their_size() -> None:
    rng = np.random.default_rng(11)
    stepped_back = 0
    workloads = 30
    for number in range(workloads):
        rate = (0.002, 0.02, 0.1, 0.5)[number % 4]
        clock = Clock()
        clock.apply(BEFORE)
        of = [
            Hour(4.0, int(kills), int(restarts), float(share))
            for kills, restarts, share in zip(
                rng.poisson(4 * rate, 504), rng.poisson(2 * rate, 504), rng.beta(1, 20, 504), strict=True
            )
        ]
        clock.hours(of[:168])
        clock.apply(SMALLER)
        clock.hours(of[168:])
        stepped_back += clock.watch.regression is not None
    # at most 1 % each, so at most 0.3 of 30 are expected; the tests are far on the safe side of that
    assert stepped_back == 0
