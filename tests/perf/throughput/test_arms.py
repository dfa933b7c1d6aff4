"""What is compared with what."""

import pytest

from perf.throughput.arms import ARMS, arms_named


def test_an_arm_brings_the_scheduler_alone_at_its_own_setting() -> None:
    assert [arm.name for arm in arms_named("narrow,trivial-all")] == ["stock", "narrow", "stock-all", "trivial-all"]


def test_what_bounds_an_extender_calls_as_ours_does() -> None:
    for ours, bound in (("narrow", "trivial"), ("narrow-all", "trivial-all")):
        assert (ARMS[bound].channel, ARMS[bound].percentage) == (ARMS[ours].channel, ARMS[ours].percentage)
        assert (ARMS[bound].trivial, ARMS[ours].trivial) == (True, False)


def test_an_unknown_arm_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="'wide' is unknown; choose from stock"):
        arms_named("narrow,wide")
