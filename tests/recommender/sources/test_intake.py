"""The gate, one reason at a time; its laws are in tests/properties/test_intake_laws.py."""

import dataclasses
import math

import pytest

from recommender.sources.intake import MAX_CPU, DropReason, Intake, Tolerances
from recommender.sources.observation import UsageSample

NOW = 1_700_000_000
SAMPLE = UsageSample("shop", "web-0", "app", NOW - 60, 60, 250.0, 1e8, 0.1)


def offered(*samples: UsageSample, intake: Intake | None = None) -> tuple[list[UsageSample], dict[DropReason, int]]:
    admission = (intake or Intake()).offer(samples, NOW)
    return admission.samples, dict(admission.dropped)


def test_a_good_sample_passes_unchanged() -> None:
    assert offered(SAMPLE) == ([SAMPLE], {})


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("cpu", -1.0, DropReason.CPU),
        ("cpu", math.nan, DropReason.CPU),
        ("cpu", math.inf, DropReason.CPU),
        ("cpu", MAX_CPU * 1.001, DropReason.CPU),
        ("window_s", 0, DropReason.WINDOW),
        ("window_s", -60, DropReason.WINDOW),
        ("window_s", 3601, DropReason.WINDOW),
        ("t_s", 59, DropReason.WINDOW),
        ("t_s", NOW + 301, DropReason.FUTURE),
    ],
)
def test_the_impossible_is_refused_by_name(field: str, value: float, reason: DropReason) -> None:
    assert offered(dataclasses.replace(SAMPLE, **{field: value})) == ([], {reason: 1})  # type: ignore[arg-type]  # one field of several types


def test_a_clock_that_is_a_little_ahead_is_believed() -> None:
    ahead = dataclasses.replace(SAMPLE, t_s=NOW + 300)
    assert offered(ahead) == ([ahead], {})


def test_what_is_wrong_about_memory_does_not_cost_the_cpu() -> None:
    samples, dropped = offered(dataclasses.replace(SAMPLE, memory=-5.0, throttled=1.5))
    assert [(s.cpu, math.isnan(s.memory), math.isnan(s.throttled)) for s in samples] == [(250.0, True, True)]
    assert dropped == {DropReason.MEMORY: 1, DropReason.THROTTLED: 1}


def test_unknown_memory_is_no_fault() -> None:
    assert offered(dataclasses.replace(SAMPLE, memory=math.nan))[1] == {}


def test_the_same_again_is_covered_and_containers_are_told_apart() -> None:
    other = dataclasses.replace(SAMPLE, container="sidecar")
    assert offered(SAMPLE, SAMPLE, other) == ([SAMPLE, other], {DropReason.COVERED: 1})


def test_of_an_overlap_only_the_new_part_is_learned() -> None:
    # The second source's window began 20 s before the end of the first one's.
    second = dataclasses.replace(SAMPLE, t_s=SAMPLE.t_s + 40, cpu=300.0)
    samples, _ = offered(SAMPLE, second)
    assert [(s.t_s, s.window_s, s.cpu) for s in samples] == [(NOW - 60, 60, 250.0), (NOW - 20, 40, 300.0)]


def test_closed_time_is_late_and_a_straddling_window_is_learned_for_its_open_part() -> None:
    intake = Intake()
    intake.offer([SAMPLE], NOW)
    intake.close_before(NOW - 30)
    assert intake.containers == 0  # nothing of it is open any more
    assert intake.open_from_s == NOW - 30
    straddling = dataclasses.replace(SAMPLE, t_s=NOW)
    samples, dropped = offered(SAMPLE, straddling, intake=intake)
    assert [(s.t_s, s.window_s) for s in samples] == [(NOW, 30)]
    assert dropped == {DropReason.LATE: 1}


def test_time_is_never_reopened() -> None:
    intake = Intake()
    intake.close_before(NOW)
    intake.close_before(NOW - 1000)
    assert intake.open_from_s == NOW


def test_the_largest_node_is_a_sharper_bound() -> None:
    intake = Intake(Tolerances(max_cpu=200.0))
    assert offered(SAMPLE, intake=intake) == ([], {DropReason.CPU: 1})
