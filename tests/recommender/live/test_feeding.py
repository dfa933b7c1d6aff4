"""What becomes of samples and incidents."""

from collections import Counter

import pytest

from recommender.live.closing import close_run, runs_due
from recommender.live.feeding import Dropped, Feeder, Place
from recommender.remembering.learned import decode_learned, encode_learned
from recommender.remembering.open_sketches import MIDDLES, bucket_of
from recommender.sources.observation import Incident, IncidentKind, UsageSample
from recommender.workloads.fleet import Fleet
from stowplan.model.workload import Workload, WorkloadKey
from tests.support.fleets import DAY, MIB, MIDNIGHT, feeder, located, sample, standard, web

WEB = WorkloadKey("shop", "Deployment", "web")
JOB = WorkloadKey("shop", "CronJob", "report")
JOBS = {"report": Place(Workload("shop", "CronJob", "report"), by_runs=True, started_s=MIDNIGHT)}


def _incident(kind: IncidentKind = IncidentKind.OOM_KILLED, limit: int = 0, pod: str = "web-1") -> Incident:
    return Incident(kind, "shop", pod, "uid", "app", MIDNIGHT + 600, limit)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (sample(MIDNIGHT + 60, 1.0, pod="stranger-1"), Dropped.UNKNOWN_POD),
        (sample(MIDNIGHT - 60, 1.0), Dropped.LATE),
        (sample(MIDNIGHT + 100_000, 1.0), Dropped.FUTURE),
        (sample(MIDNIGHT + 60, float("nan")), Dropped.INVALID),
        (sample(MIDNIGHT + 60, -1.0), Dropped.INVALID),
        (UsageSample("shop", "web-1", "app", MIDNIGHT + 60, 0, 1.0, 1.0), Dropped.INVALID),
        (sample(MIDNIGHT + 60, 1.0, container="one-too-many"), Dropped.FULL),
    ],
)
def test_what_cannot_be_learned_from_is_counted_and_changes_nothing(one: UsageSample, reason: Dropped) -> None:
    fleet = Fleet(limit=1, closed_through=DAY - 1)
    counts: Counter[Dropped] = Counter()
    fed = Feeder(fleet, located({"web": Place(web())}), lambda why: counts.update([why]))
    fed.take([sample(MIDNIGHT + 60, 100.0)], MIDNIGHT + 60)

    fed.take([one], MIDNIGHT + 60)

    assert counts == {reason: 1}
    assert fleet.containers == 1
    assert fleet.days[DAY].counts.sum() == 1


def test_throttled_use_counts_as_the_demand_behind_it() -> None:
    fleet = Fleet()
    fed = feeder(fleet, {"web": Place(web(), cpu_limit=500)})
    fed.take([UsageSample("shop", "web-1", "app", MIDNIGHT + 60, 60, 450.0, 1.0, 0.5)], MIDNIGHT + 60)

    # 450 + 0.5 x 500 / -ln 0.5 = 810.7
    assert fleet.days[DAY].counts[0].argmax() == bucket_of(MIDDLES[:1] * 0 + 810.7)[0]


def test_a_warm_up_is_learned_from_starts_and_then_left_out() -> None:
    """Three starts burn 2 cores for five minutes, then 100 m; the fourth start's first minutes are no demand any more."""
    fleet = Fleet()
    for start in range(3):
        started = MIDNIGHT + start * 7200
        fed = feeder(fleet, {"web": Place(web(), started_s=started)})
        fed.take([sample(started + 60 * m, 2000.0 if m <= 5 else 100.0) for m in range(1, 40)], started + 7200)
    learned = fleet.at(fleet.workloads[WEB].rows["app"])
    before = int(fleet.days[DAY].counts.sum())
    started = MIDNIGHT + 40_000
    feeder(fleet, {"web": Place(web(), started_s=started)}).take(
        [sample(started + 60, 2000.0), sample(started + 600, 100.0)], started + 600
    )

    assert learned.slow.warm_up_s == 300
    assert int(fleet.days[DAY].counts.sum()) == before + 1


def test_an_oom_kill_counts_as_a_peak_above_the_limit_and_is_urgent() -> None:
    fleet = Fleet()
    fed = feeder(fleet)
    fed.take([sample(MIDNIGHT + 60, 1.0, 200 * MIB)], MIDNIGHT + 60)
    fleet.workloads[WEB].urgent = False

    assert fed.take_incident(_incident(limit=256 * MIB), 120) == WEB

    # max(256 Mi + 100 Mi, 1.2 x 256 Mi)
    assert fleet.days[DAY].memory_peak[0] == 356 * MIB
    assert fleet.workloads[WEB].urgent
    assert fleet.at(0).slow.oom_bytes == 356 * MIB


def test_without_a_limit_an_oom_kill_asks_for_more_than_was_used() -> None:
    fleet = Fleet()
    fed = feeder(fleet)
    fed.take([sample(MIDNIGHT + 60, 1.0, 1000 * MIB)], MIDNIGHT + 60)

    fed.take_incident(_incident(), 120)

    assert fleet.days[DAY].memory_peak[0] == 1200 * MIB
    assert decode_learned(encode_learned(fleet.at(0))).slow.oom_bytes == 1200 * MIB  # it can be written


def test_incidents_of_strangers_and_plain_restarts_change_no_memory() -> None:
    fleet = Fleet()
    fed = feeder(fleet)

    assert fed.take_incident(_incident(pod="stranger-1", limit=MIB), 120) is None
    assert fed.take_incident(_incident(IncidentKind.RESTARTED, limit=MIB), 120) == WEB
    assert not fleet.days


def test_jobs_are_learned_by_runs() -> None:
    fleet = Fleet()
    fed = feeder(fleet, JOBS)
    for number in (1, 2, 3):
        pod = f"report-{number}"
        fed.take([sample(MIDNIGHT + 60 * m, 100.0 * number, pod=pod) for m in (1, 2, 3)], MIDNIGHT + 600)
        assert runs_due(fleet, lambda *_: True, lambda *_: False, MIDNIGHT + 600) == []
        assert (
            runs_due(fleet, lambda *_: False, lambda *_: True, MIDNIGHT + 299) == []
        )  # another sample may be on its way
        assert runs_due(fleet, lambda *_: False, lambda *_: True, MIDNIGHT + 300) == [(JOB, pod)]
        close_run(fleet, JOB, pod, standard, MIDNIGHT + 600)

    learned = fleet.at(fleet.workloads[JOB].rows["app"])
    assert (learned.slow.runs, learned.days, learned.newest) == (3, 3, 2)
    assert not fleet.days
    assert not fleet.runs


def test_a_run_longer_than_a_day_counts_once_a_day() -> None:
    fleet = Fleet()
    feeder(fleet, JOBS).take([sample(MIDNIGHT + 60, 1.0, pod="report-1")], MIDNIGHT + 60)

    assert runs_due(fleet, lambda *_: True, lambda *_: False, MIDNIGHT + 86_400) == [(JOB, "report-1")]


def test_a_job_s_oom_kill_belongs_to_its_run() -> None:
    fleet = Fleet()
    fed = feeder(fleet, JOBS)
    fed.take([sample(MIDNIGHT + 60, 1.0, 10 * MIB, pod="report-1")], MIDNIGHT + 60)
    fed.take_incident(_incident(limit=64 * MIB, pod="report-1"), 120)
    close_run(fleet, JOB, "report-1", standard, MIDNIGHT + 600)

    assert fleet.at(0).slow.oom_bytes == 164 * MIB
    assert fleet.at(0).slow.oom_day == 0
