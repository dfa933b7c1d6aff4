"""Init containers that end: learned by runs, one a pod, whatever their workload is learned by, and sized on their own."""

from __future__ import annotations

import json

import pytest

from recommender.live.closing import close_day, close_run, runs_due
from recommender.live.feeding import Feeder, Place
from recommender.live.fleet_pass import Case, FleetPass
from recommender.live.restoring import Restorer, checkpoint_of
from recommender.remembering.learned import Learned
from recommender.sizing.peers import Peers
from recommender.sizing.prices import Prices
from recommender.sources.observation import Incident, IncidentKind, UsageSample
from recommender.workloads.fleet import GRACE_S, Fleet
from recommender.workloads.pods import ContainerSpec, PodView, Templates, project_pod_view
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile import Source, WorkloadProfile
from stowplan.model.workload import WorkloadKey
from tests.recommender.live.test_writing import Rig
from tests.support.fleets import DAY, MIB, MIDNIGHT, day_of, sample, shard_text, standard, web

WEB = WorkloadKey("shop", "Deployment", "web")


def _feeder(fleet: Fleet) -> Feeder:
    """Knows pods of `web` with the init container `migrate`."""
    return Feeder(fleet, lambda _namespace, _pod, container: Place(web(), init=container == "migrate"))


def _run(number: int, memory: float = 300 * MIB) -> list[UsageSample]:
    """Three minutes of a migration of half a core before the pod's app starts."""
    first = MIDNIGHT + 600 * number
    return [sample(first + 60 * m, 500.0, memory, f"web-{number}", "migrate") for m in (1, 2, 3)]


def _learned(fleet: Fleet, container: str = "migrate") -> Learned:
    return fleet.at(fleet.workloads[WEB].rows[container])


def _after_runs(runs: int) -> Fleet:
    fleet = Fleet()
    for number in range(runs):
        _feeder(fleet).take(_run(number), MIDNIGHT + 600 * number + 300)
        close_run(fleet, WEB, f"web-{number}", standard, MIDNIGHT + 600 * number + 300)
    return fleet


def test_each_pod_is_a_run_while_the_app_is_learned_by_days() -> None:
    fleet = Fleet()
    _feeder(fleet).take([*_run(1), sample(MIDNIGHT + 900, 70.0)], MIDNIGHT + 900)
    now_s = MIDNIGHT + 780 + 120  # two minutes after the last sample of the migration

    assert runs_due(fleet, lambda *_: True, lambda *_: True, now_s) == []  # it may go on without a sample
    assert runs_due(fleet, lambda *_: True, lambda *_: False, now_s - 1) == []
    assert runs_due(fleet, lambda *_: True, lambda *_: False, now_s) == [(WEB, "web-1")]  # though the pod runs
    close_run(fleet, WEB, "web-1", standard, now_s)

    migrate, app = _learned(fleet), _learned(fleet, "app")
    assert (migrate.slow.runs, migrate.days, migrate.newest, migrate.slow.busy) == (1, 1, 0, {})
    assert (app.slow.runs, app.days) == (0, 0)
    assert fleet.days[DAY].counts.sum() == 1
    assert not fleet.runs


def test_a_pod_of_a_day_that_is_closed_still_counts_for_its_init_container() -> None:
    fleet = Fleet(closed_through=DAY)
    _feeder(fleet).take([*_run(1), sample(MIDNIGHT + 900, 70.0)], MIDNIGHT + 900)

    assert list(fleet.workloads[WEB].rows) == ["migrate"]
    assert list(fleet.runs[WEB]) == ["web-1"]


def test_pods_that_are_gone_belong_to_what_is_known_of_the_container() -> None:
    fleet = _after_runs(1)
    Feeder(fleet, lambda *_: Place(web())).take(_run(2), MIDNIGHT + 3000)  # guessed by the name of the pod

    assert not fleet.days
    assert list(fleet.runs[WEB]) == ["web-2"]


def _killed(kind: IncidentKind = IncidentKind.OOM_KILLED) -> Incident:
    return Incident(kind, "shop", "web-1", "uid", "migrate", MIDNIGHT + 60, 256 * MIB)


def test_a_run_without_a_sample_is_not_counted_and_what_killed_it_belongs_to_the_next() -> None:
    fleet = Fleet()
    fed = _feeder(fleet)
    assert fed.take_incident(_killed(), 120) is None  # the running pod fares no worse for it
    close_run(fleet, WEB, "web-1", standard, MIDNIGHT + 300)
    assert (_learned(fleet).slow.runs, _learned(fleet).days) == (0, 0)

    fed.take(_run(2, 100 * MIB), MIDNIGHT + 1500)
    close_run(fleet, WEB, "web-2", standard, MIDNIGHT + 1500)
    with_kill = _learned(fleet).history.codes.copy()
    assert _learned(fleet).slow.runs == 1
    # max(256 Mi + 100 Mi, 1.2 x 256 Mi), not the 100 Mi that were seen
    plain = Fleet()
    _feeder(plain).take(_run(2, 356 * MIB), MIDNIGHT + 1500)
    close_run(plain, WEB, "web-2", standard, MIDNIGHT + 1500)
    assert (with_kill == _learned(plain).history.codes).all()


def test_its_restarts_are_not_those_of_the_running_pod() -> None:
    fleet = Fleet()

    assert _feeder(fleet).take_incident(_killed(IncidentKind.RESTARTED), 120) is None
    assert not fleet.runs


def test_a_container_that_becomes_another_kind_is_learned_anew() -> None:
    fleet = _after_runs(3)
    tracked = fleet.workloads[WEB]
    fleet.retype(tracked, "migrate", init=True)
    assert _learned(fleet).days == 3

    _feeder(fleet).take(_run(4), MIDNIGHT + 3000)  # of an old pod, which is still there
    fleet.retype(tracked, "migrate", init=False)
    close_run(fleet, WEB, "web-4", standard, MIDNIGHT + 3600)

    assert (_learned(fleet).days, _learned(fleet).slow.runs, _learned(fleet).saved_through) == (0, 0, -1)


def test_what_is_learned_and_what_is_open_survives_a_restart() -> None:
    fleet = _after_runs(3)
    _feeder(fleet).take(_run(7), MIDNIGHT + 5000)
    tracked = fleet.workloads[WEB]
    again = Fleet()
    restorer = Restorer(again)
    restorer.add_profile(WorkloadProfile("shop", "Deployment", "web", checkpoint=checkpoint_of(fleet, tracked)))
    restorer.add_shard("00", shard_text(fleet))
    for one in (fleet, again):
        close_run(one, WEB, "web-7", standard, MIDNIGHT + 6000)

    found, expected = _learned(again), _learned(fleet)
    assert found.slow.init
    assert (found.slow.runs, found.days) == (4, 4)
    assert (found.history.days == expected.history.days).all()
    assert (found.history.codes == expected.history.codes).all()


def test_runs_closed_but_not_yet_written_survive_a_crash() -> None:
    fleet = _after_runs(3)
    again = Fleet()
    Restorer(again).add_shard("00", shard_text(fleet))

    assert (_learned(again).slow.init, _learned(again).slow.runs, _learned(again).days) == (True, 3, 3)


def _pod(number: int, phase: str = "Running") -> PodView:
    raw = {
        "metadata": {
            "name": f"web-5d9c-{number}",
            "namespace": "shop",
            "uid": f"u-{number}",
            "labels": {"pod-template-hash": "5d9c"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d9c", "controller": True}],
        },
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "app", "image": "api:1"}],
            "initContainers": [{"name": "migrate", "image": "api:1", "resources": {"requests": {"cpu": "4"}}}],
        },
        "status": {"phase": phase},
    }
    return project_pod_view(json.dumps(raw).encode(), Templates())


async def test_its_size_is_published_beside_the_app_s_once_there_is_more_than_a_guess() -> None:
    rig = Rig()
    rig.sees(_pod(0))
    await rig.sizer.size_urgent()
    assert rig.writes() == []  # a guess by the size table is not worth a profile

    fed = Feeder(rig.fleet, rig.index.locate)
    for number in range(8):
        rig.sees(_pod(number))
        samples = [sample(MIDNIGHT + 60 * m, 500.0, 300 * MIB, f"web-5d9c-{number}", "migrate") for m in (1, 2, 3)]
        fed.take(samples, int(rig.now))
        close_run(rig.fleet, WEB, f"web-5d9c-{number}", rig.sizer.terms_of, int(rig.now))
    await rig.sizer.size_all()

    app, migrate = rig.profile().recommendations[0].containers
    # the app's image is that of the migration, but that is no peer for it
    assert (app.name, app.source) == ("app", Source.SIZE_TABLE)
    assert (migrate.name, migrate.source, migrate.days, migrate.samples) == ("migrate", Source.USAGE, 8, 24)
    # of the 4 cores asked for a step takes 30 %; no memory was asked for: 300 MiB with the class's head-room
    assert (migrate.target["cpu"], "cpu step" in migrate.clamps) == (2800, True)
    assert 300 * MIB <= migrate.target["memory"] < 1024 * MIB
    # a pod requests the largest of its init containers or the sum of the others: no saving of its own
    assert migrate.saving_micro_usd_per_hour == 0
    assert rig.profile().history_hours == 0  # of the workload nothing has been seen


def test_an_oom_kill_alone_is_worth_a_size() -> None:
    fleet = Fleet()
    _feeder(fleet).take_incident(_killed(), 120)
    terms = standard(fleet.workloads[WEB])
    case = Case(fleet.workloads[WEB], terms, (terms,), {"migrate": ContainerSpec("migrate", "m", (), 100, MIB, 0)})
    (((_, (under,)),),) = FleetPass(fleet, Peers(fleet), Prices(1.0, 1.0), MIDNIGHT + 120).run([case])

    (migrate,) = under.containers
    assert migrate.target["memory"] >= 356 * MIB


def test_days_and_runs_side_by_side_are_closed_each_in_their_time() -> None:
    fleet = _after_runs(2)
    _feeder(fleet).take([*day_of(lambda _: 200.0), *_run(5)], MIDNIGHT + 86_400)
    for _ in close_day(fleet, DAY, standard, MIDNIGHT + 86_400 + GRACE_S):
        pass

    assert (_learned(fleet, "app").newest, _learned(fleet, "app").days) == (DAY, 1)
    assert (_learned(fleet).newest, _learned(fleet).days) == (1, 2)
    assert list(fleet.runs[WEB]) == ["web-5"]


@pytest.mark.parametrize("name", sorted(BUILTIN_CLASSES))
def test_no_class_staffs_an_init_container(name: str) -> None:
    fleet = _after_runs(8)
    terms = type(standard(fleet.workloads[WEB]))(BUILTIN_CLASSES[name])
    case = Case(fleet.workloads[WEB], terms, (terms,))
    (((_, (under,)),),) = FleetPass(fleet, Peers(fleet), Prices(1.0, 1.0), MIDNIGHT + 86_400).run([case])

    assert all(c.source is not Source.STAFFING and "staffing floor" not in c.clamps for c in under.containers)
