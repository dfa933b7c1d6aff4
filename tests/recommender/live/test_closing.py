"""A day is judged by what stood when it began, and only then learned."""

import numpy as np
import pytest

from recommender.live.closing import Terms, close_day
from recommender.remembering.learned import Standing
from recommender.risk import start_levels
from recommender.workloads.fleet import GRACE_S, Fleet, Tracked
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from tests.support.fleets import DAY, MIB, MIDNIGHT, day_of, feeder, standard

STANDARD = BUILTIN_CLASSES["standard"]


def _close(fleet: Fleet, day: int = DAY) -> None:
    for _ in close_day(fleet, day, standard, (day + 1) * 86_400 + GRACE_S):
        pass


def _fleet(cpu: float = 100.0) -> Fleet:
    fleet = Fleet()
    feeder(fleet).take(day_of(lambda _: cpu), MIDNIGHT + 86_400)
    fleet.at(0).slow.level_class = "standard"
    fleet.at(0).slow.level_cpu, fleet.at(0).slow.level_memory = start_levels(STANDARD)
    return fleet


def test_a_day_is_due_after_a_time_of_grace() -> None:
    fleet = _fleet()

    assert fleet.days_due(MIDNIGHT + 86_400 + GRACE_S - 1) == []
    assert fleet.days_due(MIDNIGHT + 86_400 + GRACE_S) == [DAY]


def test_a_closed_day_is_history_and_its_samples_are_late() -> None:
    fleet = _fleet()
    version = next(iter(fleet.workloads.values())).version
    _close(fleet)

    learned = fleet.at(0)
    assert (learned.newest, learned.days) == (DAY, 1)
    assert learned.slow.busy == {DAY: (0.1, 1)}
    assert not fleet.days
    assert fleet.open_day(DAY) is None
    tracked = next(iter(fleet.workloads.values()))
    assert tracked.version > version
    assert not tracked.saved


def test_a_day_worse_than_declared_tightens_the_level_and_is_reported() -> None:
    fleet = _fleet()
    before = fleet.at(0).slow.level_cpu
    # asked for 50 m, used 100 m all day: overrun 100 %; unmet half of use, and as much as was expected in all
    fleet.at(0).standing = Standing(DAY, "standard", 50.0, 90.0 * MIB, 50.0)
    _close(fleet)

    slow = fleet.at(0).slow
    assert slow.level_cpu < before
    assert slow.judged.achieved.overrun == 1.0
    assert slow.judged.achieved.unmet == pytest.approx(0.5, abs=0.03)
    assert slow.judged.achieved.breach == 1.0  # 100 MiB used, 90 MiB allowed


def test_a_good_day_relaxes_the_level() -> None:
    fleet = _fleet()
    before = fleet.at(0).slow.level_cpu
    fleet.at(0).standing = Standing(DAY, "standard", 200.0, 200.0 * MIB, 100.0)
    _close(fleet)

    assert fleet.at(0).slow.level_cpu > before
    assert fleet.at(0).slow.judged.achieved.overrun == 0.0


def test_what_stood_only_later_or_for_another_class_judges_nothing() -> None:
    for standing in (Standing(DAY + 1, "standard", 1.0, 1.0, 1.0), Standing(DAY, "critical", 1.0, 1.0, 1.0)):
        fleet = _fleet()
        fleet.at(0).standing = standing
        _close(fleet)

        assert fleet.at(0).slow.judged.days == 0
        assert fleet.at(0).newest == DAY


def test_another_class_starts_the_calibration_anew() -> None:
    fleet = _fleet()
    fleet.at(0).slow.level_cpu = 0.002
    fleet.at(0).standing = Standing(DAY, "standard", 50.0, 1.0, 1.0)

    def critical(_tracked: Tracked) -> Terms:
        return Terms(BUILTIN_CLASSES["critical"])

    for _ in close_day(fleet, DAY, critical, MIDNIGHT + 90_000):
        pass

    assert (fleet.at(0).slow.level_cpu, fleet.at(0).slow.level_memory) == start_levels(BUILTIN_CLASSES["critical"])
    assert fleet.at(0).slow.judged.days == 0


def test_achieved_risk_is_of_the_last_eight_weeks() -> None:
    fleet = Fleet()
    for day in range(DAY, DAY + 200):
        feeder(fleet).take(day_of(lambda _: 100.0, day=day, step_s=7200), (day + 1) * 86_400)
        asked = 50.0 if day < DAY + 100 else 200.0
        fleet.at(0).slow.level_class = "standard"
        fleet.at(0).standing = Standing(day, "standard", asked, 1e12, 100.0)
        _close(fleet, day)

    # 100 good days weigh 1 - (1 - 1/56)^100 = 83.5 % of the mean
    assert fleet.at(0).slow.judged.achieved.overrun == pytest.approx(np.power(1 - 1 / 56, 100), abs=0.01)
