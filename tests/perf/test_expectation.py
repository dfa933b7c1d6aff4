"""What a run says beforehand about how long it will take."""

from __future__ import annotations

from perf.cluster import PlaceName
from perf.expectation import announcement, expected_seconds, in_words
from perf.part import Profile
from tests.support.perf import part, result

TAKES = {Profile.SHORT: 10, Profile.FULL: 120}


def test_the_last_run_here_says_more_than_what_the_part_says() -> None:
    parts = [part("a", {}, takes=TAKES), part("b", {}, takes=TAKES), part("c", {})]
    stored = {"b": result({}, "b", seconds=15.0)}
    assert expected_seconds(parts, Profile.SHORT, stored) == {"a": 10, "b": 15.0}


def test_a_run_that_failed_and_one_of_the_other_profile_say_nothing() -> None:
    parts = [part("a", {}, takes=TAKES)]
    failed = {"a": result(None, "a", seconds=1.0, error="OSError: no disk")}
    other = {"a": result({}, "a", seconds=300.0, profile=Profile.FULL)}
    assert expected_seconds(parts, Profile.SHORT, failed) == expected_seconds(parts, Profile.SHORT, other) == {"a": 10}


def test_in_kind_a_part_takes_its_own_time_and_the_sandbox_says_nothing_about_it() -> None:
    parts = [part("a", {}, takes=TAKES, takes_in_kind={Profile.SHORT: 40}), part("b", {}, takes=TAKES)]
    assert expected_seconds(parts, Profile.SHORT, {"a": result({}, "a", seconds=15.0)}, PlaceName.KIND) == {"a": 40}
    stored = {"a": result({}, "a", seconds=55.0, cluster="kind")}
    assert expected_seconds(parts, Profile.SHORT, stored, PlaceName.KIND) == {"a": 55.0}


def test_the_announcement_sums_up_and_names_what_is_not_known() -> None:
    parts = [part("a", {}), part("b", {}), part("c", {})]
    # 50 s and 10 min are 10.8 min.
    assert announcement(parts, {"a": 50.0, "b": 600.0}) == "about 11 min in all, and c: a 50 s, b 10 min"
    assert announcement(parts, {}) == ""


def test_minutes_begin_where_seconds_are_no_longer_read_at_a_glance() -> None:
    assert (in_words(89.4), in_words(91)) == ("89 s", "2 min")
