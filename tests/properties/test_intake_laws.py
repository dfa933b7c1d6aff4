"""Gaps, resets, restarts, duplicates, late and impossible samples lose nothing and poison nothing."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.remembering.coverage import FRAGMENTS
from recommender.sources.counters import increases
from recommender.sources.intake import DropReason, Intake
from recommender.sources.observation import UsageSample

MIDNIGHT = 1_700_006_400
"""2023-11-15 00:00:00 UTC; samples lie after it."""
NOW = MIDNIGHT + 90_000


T = TypeVar("T")


def shuffled(items: Sequence[T], seed: int) -> list[T]:
    """A permutation; by a seed, because drawing one is slow."""
    return random.Random(seed).sample(items, len(items))  # noqa: S311 - no secret


seeds = st.integers(0, 2**32)


@st.composite
def streams(draw: st.DrawFn) -> list[UsageSample]:
    """Clean streams of two containers: windows that follow each other, with gaps."""
    samples: list[UsageSample] = []
    for container in ("app", "sidecar"):
        t_s = MIDNIGHT
        for _ in range(draw(st.integers(0, 25))):
            t_s += draw(st.sampled_from([0, 0, 0, 1, 45, 3000]))  # a gap
            window_s = draw(st.integers(1, 600))
            t_s += window_s
            cpu = draw(st.floats(0, 64_000))
            samples.append(UsageSample("shop", "web-0", container, t_s, window_s, cpu, draw(st.floats(0, 2**36))))
    return samples


impossible = st.builds(
    UsageSample,
    st.just("shop"),
    st.just("web-0"),
    st.sampled_from(["app", "sidecar"]),
    st.integers(MIDNIGHT, MIDNIGHT + 80_000),
    st.integers(1, 600),
    st.sampled_from([-1.0, math.nan, math.inf, -math.inf, 1e30]),
    st.floats(),
) | st.builds(
    UsageSample,
    st.just("shop"),
    st.just("web-0"),
    st.sampled_from(["app", "sidecar"]),
    st.integers(NOW + 400, NOW + 10**9),
    st.integers(-10, 600),
    st.floats(0, 1000),
    st.floats(0, 1000),
)


def key(sample: UsageSample) -> tuple[str, int, int, float, float]:
    return sample.container, sample.t_s, sample.window_s, sample.cpu, sample.memory


def learned(intake: Intake, samples: list[UsageSample]) -> list[tuple[str, int, int, float, float]]:
    return sorted(key(sample) for sample in intake.offer(samples, NOW).samples)


def total(samples: list[UsageSample]) -> float:
    """Millicore-seconds."""
    return math.fsum(sample.cpu * sample.window_s for sample in samples)


@given(streams(), st.data())
def test_order_and_repetition_change_nothing(clean: list[UsageSample], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(clean), max_size=40)) if clean else []
    messy = shuffled([*clean, *again], data.draw(seeds))
    admission = Intake().offer(messy, NOW)
    assert sorted(map(key, admission.samples)) == sorted(map(key, clean))
    assert admission.dropped.get(DropReason.COVERED, 0) == len(again)


@given(streams(), st.lists(impossible, max_size=20), st.data())
def test_the_impossible_changes_nothing(clean: list[UsageSample], junk: list[UsageSample], data: st.DataObject) -> None:
    messy = shuffled([*clean, *junk], data.draw(seeds))
    admission = Intake().offer(messy, NOW)
    assert sorted(map(key, admission.samples)) == sorted(map(key, clean))
    assert sum(admission.dropped.values()) == len(junk)


@given(streams(), st.integers(1, 10))
def test_batches_change_nothing(clean: list[UsageSample], size: int) -> None:
    intake = Intake()
    batched = [key(s) for at in range(0, len(clean), size) for s in intake.offer(clean[at : at + size], NOW).samples]
    assert sorted(batched) == learned(Intake(), clean)


@given(streams(), st.data())
def test_two_sources_of_one_truth_are_learned_once(clean: list[UsageSample], data: st.DataObject) -> None:
    """Another source cuts the same time into other windows: whoever comes first, the union is learned exactly once."""
    second = [part for sample in clean for part in _cut(sample, data.draw(st.integers(1, 600)))]
    messy = shuffled([*clean, *second], data.draw(seeds)) if len(second) < FRAGMENTS else [*second, *clean]
    admitted = Intake().offer(messy, NOW).samples
    assert total(admitted) == pytest.approx(total(clean), rel=1e-9, abs=1e-6)
    for container in ("app", "sidecar"):
        windows = sorted((s.t_s - s.window_s, s.t_s) for s in admitted if s.container == container)
        assert all(end <= start for (_, end), (start, _) in pairwise(windows))


def _cut(sample: UsageSample, width: int) -> list[UsageSample]:
    """The same usage in windows of at most `width` seconds."""
    start = sample.t_s - sample.window_s
    edges = [*range(start, sample.t_s, width), sample.t_s]
    return [dataclasses.replace(sample, t_s=b, window_s=b - a) for a, b in pairwise(edges)]


@given(streams(), st.integers(MIDNIGHT, MIDNIGHT + 80_000), st.data())
def test_late_samples_never_change_what_is_closed(clean: list[UsageSample], at: int, data: st.DataObject) -> None:
    intake = Intake()
    intake.close_before(at)
    admitted = intake.offer(shuffled(clean, data.draw(seeds)), NOW).samples
    assert all(sample.t_s - sample.window_s >= at for sample in admitted)
    open_part = math.fsum(s.cpu * max(0, s.t_s - max(at, s.t_s - s.window_s)) for s in clean)
    assert total(admitted) == pytest.approx(open_part, rel=1e-9, abs=1e-6)


@given(streams(), st.data())
def test_closing_in_between_teaches_nothing_twice(clean: list[UsageSample], data: st.DataObject) -> None:
    intake = Intake()
    admitted = intake.offer(clean, NOW).samples
    intake.close_before(data.draw(st.integers(MIDNIGHT, MIDNIGHT + 80_000)))
    assert intake.offer(shuffled(clean, data.draw(seeds)), NOW).samples == []
    assert total(admitted) == pytest.approx(total(clean))


@st.composite
def counter_readings(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Readings of a counter that is restarted at times, and the truth: (seconds, core-seconds) between readings."""
    t_s, counter, readings, truth = 0.0, draw(st.floats(0, 1e6)), [], []
    readings.append((t_s, counter))
    for _ in range(draw(st.integers(1, 40))):
        seconds = draw(st.floats(1, 600))
        used = seconds * draw(st.floats(0, 64))
        restarted = draw(st.integers(0, 5)) == 0
        since = used * draw(st.floats(0, 1)) if restarted else 0.0  # used after the restart
        counter = since if restarted else counter + used
        t_s += seconds
        readings.append((t_s, counter))
        truth.append((seconds, used))
    return readings, truth


@given(counter_readings(), st.data())
def test_resets_never_give_a_negative_or_a_giant_rate(
    counted: tuple[list[tuple[float, float]], list[tuple[float, float]]], data: st.DataObject
) -> None:
    readings, truth = counted
    messy = shuffled([*readings, *data.draw(st.lists(st.sampled_from(readings), max_size=20))], data.draw(seeds))
    found, _ = increases(messy, math.inf)
    assert found == increases(readings, math.inf)[0]
    slack = 1e-9 * sum(value for _, value in readings)  # the floats of the counter
    highest = max(used / seconds for seconds, used in truth)
    for step in found:
        assert step.amount >= 0
        assert step.amount <= highest * (step.end_s - step.start_s) + slack
    assert math.fsum(step.amount for step in found) <= math.fsum(used for _, used in truth) + slack
    assert all(before.end_s == after.start_s for before, after in pairwise(found))


@given(st.lists(st.tuples(st.floats(1, 600), st.floats(0, 64)), min_size=1, max_size=40), st.floats(0, 1e6), st.data())
def test_gaps_lose_nothing(steps: list[tuple[float, float]], start: float, data: st.DataObject) -> None:
    """Readings that are missing in the middle only make windows longer: the sum stays."""
    readings = [(0.0, start)]
    for seconds, cores in steps:
        readings.append((readings[-1][0] + seconds, readings[-1][1] + seconds * cores))
    kept = [reading for reading in readings[1:-1] if data.draw(st.booleans())]
    found, _ = increases([readings[0], *kept, readings[-1]], math.inf)
    assert math.fsum(step.amount for step in found) == pytest.approx(readings[-1][1] - start, rel=1e-6, abs=1e-6)
