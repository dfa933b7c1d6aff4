"""What is published about the fleet: for whom, from what, and that it says so."""

from collections.abc import Callable

import pytest

from recommender.live.closing import Terms, close_day, close_run
from recommender.live.feeding import Place
from recommender.live.fleet_pass import Case, FleetPass, Outcome
from recommender.live.profiles import digest, profile_of, with_checkpoint
from recommender.remembering.learned import Slow
from recommender.sizing.peers import Peers
from recommender.sizing.prices import Prices
from recommender.sources.observation import Incident, IncidentKind
from recommender.workloads.fleet import GRACE_S, Fleet
from recommender.workloads.pods import ContainerSpec
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile import Confidence, ContainerRecommendation, Source
from stowplan.model.profile_codec import parse_profile, profile_manifest
from stowplan.model.workload import Workload, WorkloadKey
from stowplan.model.workload_class import Cost
from tests.support.fleets import DAY, MIDNIGHT, day_of, feeder, sample, standard, web

WEB = WorkloadKey("shop", "Deployment", "web")
ALL = tuple(Terms(BUILTIN_CLASSES[name]) for name in ("standard", "critical", "elastic", "batch", "dev"))
PRICES = Prices(core=30_000.0, gib=4_000.0)
HOUR = 3600


def _case(fleet: Fleet, key: WorkloadKey = WEB, **known: object) -> Case:
    return Case(fleet.workloads[key], ALL[0], ALL, **known)  # type: ignore[arg-type] # fields of Case by name


def _pass(fleet: Fleet, now_s: int, *cases: Case) -> list[Outcome]:
    run = FleetPass(fleet, Peers(fleet), PRICES, now_s)
    return [outcome for part in run.run(cases or [_case(fleet)]) for outcome in part]


def _first(outcome: Outcome) -> ContainerRecommendation:
    return outcome[1][0].containers[0]


def _live(days: int, cpu: Callable[[int], float] = lambda _: 400.0, spec: ContainerSpec | None = None) -> Fleet:
    """A fleet after some days, each closed and followed by a pass."""
    fleet = Fleet()
    for day in range(DAY, DAY + days):
        feeder(fleet).take(day_of(cpu, day=day), (day + 1) * 86_400)
        for _ in close_day(fleet, day, standard, (day + 1) * 86_400 + GRACE_S):
            pass
        _pass(fleet, (day + 1) * 86_400 + GRACE_S, _case(fleet, specs={"app": spec} if spec else {}))
    return fleet


def test_every_class_that_is_allowed_gets_a_recommendation_the_observed_one_first() -> None:
    fleet = _live(3)
    (outcome,) = _pass(fleet, MIDNIGHT + 4 * 86_400)

    assert [r.workload_class for r in outcome[1]] == ["standard", "critical", "elastic", "batch", "dev"]
    assert {r.workload_class: r.cost for r in outcome[1]}["critical"] is Cost.SAFE
    cpu = {r.workload_class: r.containers[0].target["cpu"] for r in outcome[1]}
    assert cpu["dev"] <= cpu["batch"] <= cpu["standard"] <= cpu["critical"]
    for of_class in outcome[1]:
        for one in of_class.containers:
            assert one.formula
            for resource, target in one.target.items():
                assert one.lower.get(resource, target) <= target <= one.upper.get(resource, target)


def test_from_the_first_hour_of_data_on_there_is_a_recommendation_of_low_confidence() -> None:
    fleet = Fleet()
    feeder(fleet).take([sample(MIDNIGHT + 60 * m, 400.0) for m in range(1, 61)], MIDNIGHT + HOUR)
    one = _first(_pass(fleet, MIDNIGHT + HOUR)[0])

    assert (one.confidence, one.source, one.days) == (Confidence.LOW, Source.SIZE_TABLE_AND_OWN, 0)
    assert one.samples == 60
    # an hour of own data weighs (1/24) / (1/24 + 1) = 4 %: m/general is 500m
    assert "own data weighs 4%" in one.formula
    assert one.target["cpu"] == 500


def test_a_container_never_measured_gets_the_size_table() -> None:
    fleet = Fleet()
    fleet.track(web(), ["app"], MIDNIGHT, by_runs=False)
    one = _first(_pass(fleet, MIDNIGHT)[0])

    assert (one.source, one.target) == (Source.SIZE_TABLE, {"cpu": 500, "memory": 2 * 2**30})
    assert (one.lower, one.upper, one.samples) == ({}, {}, 0)


def test_an_oom_kill_raises_the_size_table_and_says_so() -> None:
    fleet = Fleet()
    fleet.track(web(), ["app"], MIDNIGHT, by_runs=False)
    incident = Incident(IncidentKind.OOM_KILLED, "shop", "web-1", "u", "app", MIDNIGHT + 60, 2560 * 2**20)
    feeder(fleet).take_incident(incident, 120)
    one = _first(_pass(fleet, MIDNIGHT + 60)[0])

    # 1.2 x 2,560 MiB = 3,072 MiB is what a limit of 125 % of the request has to hold: 2,457.6 MiB, on the grid 2,560 MiB
    assert (one.source, one.target["memory"]) == (Source.SIZE_TABLE, 2560 * 2**20)
    assert one.clamps == ("OOM kill",)
    assert one.formula == "size table of the class, memory for the 3072 MiB that an OOM kill asks for"


def test_an_oom_kill_that_the_size_table_holds_anyway_is_not_its_reason() -> None:
    fleet = Fleet()
    fleet.track(web(), ["app"], MIDNIGHT, by_runs=False)
    incident = Incident(IncidentKind.OOM_KILLED, "shop", "web-1", "u", "app", MIDNIGHT + 60, 256 * 2**20)
    feeder(fleet).take_incident(incident, 120)
    one = _first(_pass(fleet, MIDNIGHT + 60)[0])

    assert (one.target["memory"], one.clamps, one.formula) == (2 * 2**30, (), "size table of the class")


def _featured(slow: Slow, image: str) -> None:
    slow.features = {"image": image, "container": "app", "namespace": "shop", "class": "standard"}


def test_a_newcomer_starts_like_similar_ones() -> None:
    fleet = _live(4)
    _featured(fleet.at(0).slow, "registry/team/api")
    for number in range(2):
        fleet.track(web(f"peer-{number}"), ["app"], MIDNIGHT, by_runs=False)
        key = WorkloadKey("shop", "Deployment", f"peer-{number}")
        peer = fleet.at(fleet.workloads[key].rows["app"])
        peer.history, peer.slow.targets = fleet.at(0).history, dict(fleet.at(0).slow.targets)
        _featured(peer.slow, "registry/team/api")
    fleet.track(web("new"), ["app"], MIDNIGHT, by_runs=False)
    new = fleet.workloads[WorkloadKey("shop", "Deployment", "new")]
    _featured(fleet.at(new.rows["app"]).slow, "registry/team/api")

    one = _first(_pass(fleet, MIDNIGHT + 5 * 86_400, _case(fleet, new.key))[0])

    assert one.source is Source.SIMILAR
    assert "3 similar containers" in one.formula
    # the peers all need the same, so that is what is asked for, on the grid
    assert one.target["cpu"] == fleet.at(0).slow.targets["standard"].cpu


def test_what_the_user_asked_for_is_not_gone_below_before_a_whole_week_was_seen() -> None:
    asked = ContainerSpec("app", "api:1", (), cpu=2000, memory=4 * 2**30, cpu_limit=0)

    for days, cpu in ((1, 2000), (6, 2000), (7, 1400)):  # after a week 30 % down at most
        fleet = _live(days, spec=asked)
        assert fleet.at(0).slow.targets["standard"].cpu == cpu
    (outcome,) = _pass(fleet, MIDNIGHT + 7 * 86_400 + 2 * HOUR, _case(fleet, specs={"app": asked}))
    one = _first(outcome)
    saved = (2000 - 1400) / 1000 * 30_000 + (4 * 2**30 - one.target["memory"]) / 2**30 * 4_000
    assert one.saving_micro_usd_per_hour == round(saved)


def test_what_we_wrote_ourselves_holds_nobody_back() -> None:
    ours = ContainerSpec("app", "api:1", (), 2000, 4 * 2**30, 0, cpu_is_ours=True, memory_is_ours=True)
    fleet = _live(1, spec=ours)

    assert fleet.at(0).slow.targets["standard"].cpu < 2000


def test_within_a_day_nothing_changes_twice() -> None:
    fleet = _live(9)
    again = _pass(fleet, MIDNIGHT + 9 * 86_400 + 5 * HOUR)
    profile = profile_of(fleet, again[0], None, None, 5)
    version = fleet.workloads[WEB].version
    later = _pass(fleet, MIDNIGHT + 9 * 86_400 + 9 * HOUR)

    assert digest(profile_of(fleet, later[0], None, None, 9)) == digest(profile)
    assert fleet.workloads[WEB].version == version


def test_an_oom_kill_is_answered_before_its_day_is_over() -> None:
    fleet = _live(9)
    before = fleet.at(0).slow.targets["standard"].memory
    incident = Incident(IncidentKind.OOM_KILLED, "shop", "web-1", "u", "app", MIDNIGHT + 9 * 86_400 + HOUR, 2 * 2**30)
    feeder(fleet).take([sample(incident.t_s, 400.0)], incident.t_s)
    feeder(fleet).take_incident(incident, 120)
    one = _first(_pass(fleet, incident.t_s)[0])

    # max(2 GiB + 100 MiB, 1.2 x 2 GiB) = 2.4 GiB has to fit into the limit, which is 125 % of the request
    assert before * 1.25 < 2.4 * 2**30
    assert one.target["memory"] * 1.25 >= 2.4 * 2**30
    assert one.source is Source.OOM
    assert one.target["cpu"] == fleet.at(0).slow.targets["standard"].cpu  # a part of a day changes nothing else


def test_a_day_is_judged_by_what_stood_when_it_began() -> None:
    fleet = _live(9)
    standing = fleet.at(0).standing
    assert standing is not None
    assert standing.day == DAY + 9
    assert standing.cpu == fleet.at(0).slow.targets["standard"].cpu

    # the next day begins, but the last one is not closed: what stands must still judge that
    feeder(fleet).take([sample(MIDNIGHT + 9 * 86_400 + 60, 9000.0)], MIDNIGHT + 10 * 86_400)
    _pass(fleet, MIDNIGHT + 10 * 86_400 + 60)
    assert fleet.at(0).standing == standing
    judged = fleet.at(0).slow.judged.days
    for _ in close_day(fleet, DAY + 9, standard, MIDNIGHT + 10 * 86_400 + GRACE_S):
        pass
    assert fleet.at(0).slow.judged.days == judged + 1
    assert fleet.at(0).slow.judged.achieved.overrun > 0


def test_staffing_looks_at_all_replicas_in_the_busiest_hour() -> None:
    fleet = Fleet()
    for day in (DAY, DAY + 1, DAY + 2):
        busy = [s for pod in range(20) for s in day_of(lambda _: 500.0, f"web-{pod}", day, 1800)]
        feeder(fleet).take(busy, (day + 1) * 86_400)
        for _ in close_day(fleet, day, standard, (day + 1) * 86_400 + GRACE_S):
            pass
    one = _first(_pass(fleet, MIDNIGHT + 3 * 86_400 + GRACE_S)[0])

    # A = 20 x 0.5 = 10 cores, (10 + 1.761 sqrt 10) / 20 = 0.7784 cores; on the grid 800m
    assert (one.source, one.target["cpu"]) == (Source.STAFFING, 800)


def test_jobs_are_sized_by_their_runs() -> None:
    fleet = Fleet()
    job = WorkloadKey("shop", "CronJob", "report")
    place = {"report": Place(Workload(*job), by_runs=True, started_s=MIDNIGHT)}
    samples = [sample(MIDNIGHT + 60 * m, 400.0, pod="report-1") for m in range(1, 5)]
    feeder(fleet, place).take(samples, MIDNIGHT + 300)
    (first,) = _pass(fleet, MIDNIGHT + 300, _case(fleet, job))
    assert _first(first).source is Source.SIZE_TABLE_AND_OWN
    for run in range(8):
        feeder(fleet, place).take(
            [sample(MIDNIGHT + 60 * m, 400.0, pod=f"report-{run}") for m in range(1, 5)], MIDNIGHT + 300
        )
        close_run(fleet, job, f"report-{run}", standard, MIDNIGHT + 400)
    (outcome,) = _pass(fleet, MIDNIGHT + 500, _case(fleet, job))

    assert _first(outcome).days == 8
    assert _first(outcome).source is Source.USAGE
    assert fleet.at(fleet.workloads[job].rows["app"]).standing is not None


def test_a_step_back_is_more_careful_and_never_below_what_was_good() -> None:
    fleet = _live(9, cpu=lambda s: 100.0 + s / 100)
    plain = _first(_pass(fleet, MIDNIGHT + 9 * 86_400 + HOUR)[0])
    fleet.at(0).slow.targets.clear()
    good = {"app": (1500, 2**30)}
    careful = _first(_pass(fleet, MIDNIGHT + 9 * 86_400 + HOUR, _case(fleet, careful=2, floors=good))[0])

    assert careful.target["cpu"] == 1500 > plain.target["cpu"]
    assert careful.target["memory"] >= 2**30
    assert "step back" in careful.clamps


def test_containers_that_the_newest_pod_lacks_are_left_out() -> None:
    fleet = _live(3)
    feeder(fleet).take([sample(MIDNIGHT + 3 * 86_400 + 60, 1.0, container="old")], MIDNIGHT + 4 * 86_400)
    spec = ContainerSpec("app", "api:1", (), 0, 0, 0)
    (outcome,) = _pass(fleet, MIDNIGHT + 3 * 86_400 + HOUR, _case(fleet, specs={"app": spec}))

    assert [c.name for c in outcome[1][0].containers] == ["app"]


def test_the_profile_survives_the_wire() -> None:
    fleet = _live(9)
    (outcome,) = _pass(fleet, MIDNIGHT + 9 * 86_400 + HOUR)
    profile = with_checkpoint(profile_of(fleet, outcome, None, None, MIDNIGHT), fleet)

    assert parse_profile(profile_manifest(profile)) == profile
    assert profile.history_hours == 9 * 24
    assert profile.risk is not None
    assert profile.risk.declared.overrun == 60_000  # 6 %, what `standard` declares
    assert profile.risk.days == 8  # all but the first, for which nothing stood
    assert len(profile.checkpoint["app"]) < 6000


@pytest.mark.parametrize("containers", [1, 3, 250])
def test_a_pass_leaves_nobody_out_whatever_its_slices(containers: int) -> None:
    fleet = Fleet()
    names = [f"w{n}" for n in range(containers)]
    for name in names:
        fleet.track(web(name), ["a", "b"], MIDNIGHT, by_runs=False)
    cases = [_case(fleet, WorkloadKey("shop", "Deployment", name)) for name in names]
    outcomes = _pass(fleet, MIDNIGHT, *cases)

    assert [case.tracked.key.name for case, _ in outcomes] == names
    assert all(len(found[0].containers) == 2 for _, found in outcomes)
