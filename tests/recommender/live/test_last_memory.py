"""What a container used last tells a kill for memory from others. Times are seconds after T; the limit is 1000 bytes."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest

from recommender.live.last_memory import NEAR, RECENT_S, LastMemory
from recommender.sources.incidents import IncidentLog
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import Incident, IncidentKind, UsageSample
from recommender.sources.pod_fates import project_pod_fate
from recommender.workloads.fleet import Fleet
from tests.support.fleets import DAY, MIB, MIDNIGHT, feeder, sample

T = 1_700_000_000
LIMIT = 1000


def measured(t_s: int, memory: float, pod: str = "web-1", container: str = "app") -> UsageSample:
    return UsageSample("shop", pod, container, T + t_s, 60, 100.0, memory)


def kill(
    t_s: int, started_s: int = -3600, kind: IncidentKind = IncidentKind.KILLED, limit: int = LIMIT, pod: str = "web-1"
) -> Incident:
    return Incident(kind, "shop", pod, "u1", "app", T + t_s, limit, T + started_s)


def found(incident: Incident, *samples: UsageSample, now_s: int = 60) -> IncidentKind:
    last = LastMemory()
    last.note(samples, T + now_s)
    return last.resolved(incident).kind


def test_a_kill_near_the_limit_was_for_memory_and_one_far_from_it_a_restart() -> None:
    assert found(kill(40), measured(0, 900)) is IncidentKind.OOM_KILLED
    assert found(kill(40), measured(0, 899)) is IncidentKind.RESTARTED
    assert found(kill(40)) is IncidentKind.RESTARTED  # nobody knows what it used


def test_only_the_last_measurement_of_the_same_container_counts() -> None:
    others = (measured(0, 990, pod="web-2"), measured(0, 990, container="proxy"))
    assert found(kill(40), *others) is IncidentKind.RESTARTED
    assert found(kill(40), measured(-60, 990), measured(0, 300)) is IncidentKind.RESTARTED
    assert found(kill(40), measured(0, 300), measured(-60, 990)) is IncidentKind.RESTARTED  # whatever the order
    assert found(kill(40), measured(-60, 300), measured(0, 990)) is IncidentKind.OOM_KILLED


@pytest.mark.parametrize(
    ("sample_s", "started_s"),
    [
        (50, -3600),  # measured after the kill: the next run
        (0, 0),  # measured when the run began, which is the run before
        (40 - RECENT_S, -3600),  # too old to speak for the kill
    ],
)
def test_a_measurement_of_another_run_or_of_long_ago_says_nothing(sample_s: int, started_s: int) -> None:
    assert found(kill(40, started_s), measured(sample_s, 990)) is IncidentKind.RESTARTED


def test_without_a_limit_or_a_measurement_of_memory_it_was_a_restart() -> None:
    assert found(kill(40, limit=0), measured(0, 990)) is IncidentKind.RESTARTED
    assert found(kill(40), measured(0, math.nan)) is IncidentKind.RESTARTED


@pytest.mark.parametrize("kind", [kind for kind in IncidentKind if kind is not IncidentKind.KILLED])
def test_what_has_a_reason_keeps_it(kind: IncidentKind) -> None:
    incident = kill(40, kind=kind)
    last = LastMemory()
    last.note([measured(0, 990)], T + 60)
    assert last.resolved(incident) == incident


def test_a_kill_that_counts_has_room_enough_that_the_same_use_is_not_near_the_next_limit() -> None:
    # VPA's rule: the next limit is at least 1.2 times the present one, and use was at most at the present one
    assert LIMIT < NEAR * (1.2 * LIMIT)


def test_measurements_are_kept_for_long_enough_and_not_for_ever() -> None:
    last = LastMemory()
    for minute in range(60):
        last.note([measured(60 * minute, 990, pod=f"web-{minute}")], T + 60 * minute)
        now = 60 * minute
        assert last.resolved(kill(now, pod=f"web-{minute}")).kind is IncidentKind.OOM_KILLED
        earlier = kill(now, pod=f"web-{max(0, minute - 4)}")  # four minutes before: recent
        assert last.resolved(earlier).kind is IncidentKind.OOM_KILLED
        assert last.containers <= 2 * RECENT_S // 60


def test_the_past_that_is_filled_in_is_not_remembered() -> None:
    last = LastMemory()
    last.note([measured(-86_400 + 60 * minute, 990) for minute in range(60)], T)
    assert last.containers == 0


@pytest.mark.parametrize(
    ("last_mib", "peak_mib"),
    [
        (240, 356),  # 94 % of 256 MiB: as an OOM kill, max(256 + 100, 1.2 x 256)
        (200, 200),  # 78 %: what was measured
    ],
)
def test_a_kill_reported_as_an_error_gets_memory_if_it_was_near_its_limit(last_mib: int, peak_mib: int) -> None:
    seen: list[Incident] = []
    at = datetime.fromtimestamp(MIDNIGHT + 100, UTC).isoformat().replace("+00:00", "Z")
    limits = {"resources": {"limits": {"memory": "256Mi"}}}
    last = {"terminated": {"reason": "Error", "exitCode": 137, "finishedAt": at}}
    pod = {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"},
        "spec": {"containers": [{"name": "app", **limits}]},
        "status": {"containerStatuses": [{"name": "app", "restartCount": 1, "lastState": last}]},
    }
    IncidentLog(seen.append, SourceMetrics()).upsert(project_pod_fate(json.dumps(pod).encode()))
    fleet, memory = Fleet(), LastMemory()
    fed, samples = feeder(fleet), [sample(MIDNIGHT + 60, 100.0, last_mib * MIB)]
    memory.note(samples, MIDNIGHT + 90)
    fed.take(samples, MIDNIGHT + 90)

    for incident in seen:
        fed.take_incident(memory.resolved(incident), 120)

    assert fleet.days[DAY].memory_peak[0] == peak_mib * MIB
