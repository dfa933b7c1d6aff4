"""Hours of trouble become step backs, and those make recommendations careful."""

import json

import pytest

from recommender.live.pod_index import PodIndex, Running
from recommender.live.restoring import Restorer, checkpoint_of
from recommender.live.step_backs import StepBacks
from recommender.regression.regression import Watch, stepping_back
from recommender.regression.regression_codec import decode_watch, encode_watch
from recommender.sources.observation import Incident, IncidentKind
from recommender.workloads.fleet import Fleet
from recommender.workloads.pods import PodView, Templates, project_pod_view
from stowplan.kube.owner_links import OwnerLinks
from stowplan.model.profile import Signal, WorkloadProfile
from stowplan.model.workload import WorkloadKey
from tests.support.fleets import MIDNIGHT, shard_text, web

WEB = WorkloadKey("shop", "Deployment", "web")
HOUR = 3600


def _pods(memory: str, replicas: int = 4) -> dict[WorkloadKey, Running]:
    def pod(number: int) -> PodView:
        meta = {
            "name": f"web-5d9c-{number}",
            "namespace": "shop",
            "labels": {"pod-template-hash": "5d9c"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d9c", "controller": True}],
        }
        resources = {"requests": {"cpu": "500m", "memory": memory}}
        spec = {"nodeName": "n1", "containers": [{"name": "app", "image": "api", "resources": resources}]}
        return project_pod_view(json.dumps({"metadata": meta, "spec": spec}).encode(), Templates())

    index = PodIndex(OwnerLinks())
    index.replace([pod(number) for number in range(replicas)])
    return dict(index.running())


def _kill(number: int, t_s: int) -> Incident:
    return Incident(IncidentKind.OOM_KILLED, "shop", f"web-5d9c-{number}", f"u-{number}", "app", t_s, 0)


def _after_a_smaller_size(kills_an_hour: int) -> Fleet:
    """A week without trouble, then half the memory, then twelve hours."""
    fleet = Fleet()
    fleet.track(web(), ["app"], MIDNIGHT, by_runs=False)
    fleet.workloads[WEB].urgent = False
    steps = StepBacks(fleet, MIDNIGHT)
    now_s = MIDNIGHT
    for hour in range(168 + 12):
        now_s += HOUR
        assert steps.due(now_s)
        if hour >= 168:
            for number in range(kills_an_hour):
                steps.incident(WEB, _kill(number, now_s - 60))
                steps.incident(WEB, _kill(number, now_s - 30))  # a crash loop counts once an hour
        steps.close_hour(_pods("1Gi" if hour < 168 else "512Mi"), now_s)
    return fleet


def test_oom_kills_under_a_smaller_size_are_a_step_back() -> None:
    fleet = _after_a_smaller_size(kills_an_hour=3)
    tracked = fleet.workloads[WEB]
    halt = stepping_back(tracked.watch, MIDNIGHT + 180 * HOUR)

    assert halt is not None
    assert (halt.signal, halt.step) == (Signal.OOM_RATE, 1)
    assert tracked.urgent
    assert tracked.watch.good == {"app": (500, 2**30)}


def test_a_quiet_smaller_size_is_left_in_force() -> None:
    fleet = _after_a_smaller_size(kills_an_hour=0)

    assert stepping_back(fleet.workloads[WEB].watch, MIDNIGHT + 180 * HOUR) is None
    assert not fleet.workloads[WEB].urgent


def test_ends_of_long_ago_are_not_of_this_hour() -> None:
    fleet = Fleet()
    fleet.track(web(), ["app"], MIDNIGHT, by_runs=False)
    steps = StepBacks(fleet, MIDNIGHT)
    for number, age_s in enumerate((2 * 86_400, HOUR + 1, HOUR, 60)):
        steps.incident(WEB, _kill(number, MIDNIGHT - age_s))
    steps.close_hour(_pods("1Gi"), MIDNIGHT + HOUR)

    assert fleet.workloads[WEB].watch.usual.oom_kills.events == 2


def test_throttled_shares_are_averaged_over_the_hour() -> None:
    fleet = Fleet()
    fleet.track(web(), ["app"], MIDNIGHT, by_runs=False)
    steps = StepBacks(fleet, MIDNIGHT)
    steps.throttled(WEB, 0.2)
    steps.throttled(WEB, 0.4)
    steps.close_hour(_pods("1Gi"), MIDNIGHT + HOUR)

    assert fleet.workloads[WEB].watch.usual.throttling.mean == pytest.approx(0.3)
    assert not steps.due(MIDNIGHT + HOUR + 60)


def test_a_watch_survives_a_restart_by_profile_and_by_shard() -> None:
    fleet = _after_a_smaller_size(kills_an_hour=3)
    tracked = fleet.workloads[WEB]
    by_profile, by_shard = Fleet(), Fleet()
    Restorer(by_profile).add_profile(
        WorkloadProfile("shop", "Deployment", "web", checkpoint=checkpoint_of(fleet, tracked))
    )
    Restorer(by_shard).add_shard("00", shard_text(fleet))

    for found in (by_profile, by_shard):
        now_s = MIDNIGHT + 180 * HOUR
        assert stepping_back(found.workloads[WEB].watch, now_s) == stepping_back(tracked.watch, now_s)


def test_a_watch_that_knows_nothing_takes_no_room_and_a_damaged_one_is_an_error() -> None:
    assert encode_watch(Watch()) == ""
    assert decode_watch("") == Watch()
    for text in ("{", "[]", "{}"):
        with pytest.raises(ValueError, match=r"."):
            decode_watch(text)
