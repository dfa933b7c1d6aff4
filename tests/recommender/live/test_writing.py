"""What is written, when, and by whom: profiles that changed, what is open each round, and nothing without the Lease."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from recommender.live.checkpointing import INCIDENTS, Checkpointer, incidents_of
from recommender.live.closing import close_day
from recommender.live.fleet_pass import Outcome
from recommender.live.pod_index import PodIndex
from recommender.live.profile_store import LeaseLostError, ProfileStore
from recommender.live.profiles import digest, profile_of
from recommender.live.restoring import Restorer
from recommender.live.service_metrics import ServiceMetrics
from recommender.live.sizer import Sizer
from recommender.live.watches import Classes
from recommender.settings import RecommenderSettings
from recommender.sizing.prices import Prices
from recommender.sources.observation import Incident, IncidentKind
from recommender.workloads.fleet import GRACE_S, SHARDS, Fleet, shard_of
from recommender.workloads.pods import PodView, Templates, project_pod_view
from stowplan.kube.codec import ObjectKey
from stowplan.kube.errors import ApiError, Unreachable
from stowplan.kube.owner_links import OwnerLinks
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import CHECKPOINT
from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import parse_profile
from stowplan.model.workload import WorkloadKey
from stowplan.model.workload_class import Cost, WorkloadPolicy
from tests.support.fleets import DAY, MIDNIGHT, day_of, feeder, sample, standard, web
from tests.support.profile_api import ProfileApi

WEB = WorkloadKey("shop", "Deployment", "web")
PROFILE = "/apis/stowplan.dev/v1alpha1/namespaces/shop/workloadprofiles/deployment-web"


def pod(
    name: str = "web-5d9c-a", created: str = "2024-10-04T00:00:00Z", cpu: str | None = None, **labels: str
) -> PodView:
    """A pod of the Deployment `web`; with a CPU request of its user's or without."""
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    raw = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": name,
            "creationTimestamp": created,
            "labels": {"pod-template-hash": "5d9c", **labels},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d9c", "controller": True}],
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "api:1", "resources": resources}]},
    }
    return project_pod_view(json.dumps(raw).encode(), Templates())


@dataclass
class Rig:
    """A sizer and a checkpointer over one fleet, with the time in hand."""

    fleet: Fleet = field(default_factory=Fleet)
    api: ProfileApi = field(default_factory=ProfileApi)
    now: float = MIDNIGHT + 3600.0
    remaining: float = 10.0
    slept: list[float] = field(default_factory=list)
    many_sleeps: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = ServiceMetrics(self.registry)
        self.index = PodIndex(OwnerLinks(), self.fleet.workloads.keys())
        self.classes = Classes()
        self.store = ProfileStore(self.api, "stowplan-system", lambda: self.remaining)  # type: ignore[arg-type] # a fake
        settings = RecommenderSettings(writes_per_second=4.0, forget_days=2)
        self.sizer = Sizer(
            self.fleet,
            self.index,
            self.classes,
            self.store,
            Prices(1.0, 1.0),
            self.metrics,
            settings,
            clock=lambda: self.now,
            sleep=self._sleep,
        )
        self.handled: list[tuple[str, str, int]] = []
        self.elapsed = 0.0
        self.checkpointer = Checkpointer(
            self.fleet,
            self.store,
            lambda: self.handled,
            self.metrics,
            64.0,
            clock=lambda: self.now,
            monotonic=lambda: self.elapsed,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == SHARDS:
            self.many_sleeps.set()
        await asyncio.sleep(0)

    def sees(self, *pods: PodView) -> None:
        """The pods of the cluster are these."""
        self.index.replace(pods)
        self.sizer.look()

    def uses(self, minutes: int = 1, cpu: float = 400.0) -> None:
        """Each of these minutes up to now has a sample of `web`."""
        now_s = int(self.now)
        samples = [sample(now_s - 60 * ago, cpu) for ago in reversed(range(minutes))]
        feeder(self.fleet).take(samples, now_s)

    def profile(self) -> WorkloadProfile:
        """What is written about `web`."""
        return parse_profile(self.api.objects[PROFILE])

    def writes(self) -> list[str]:
        """Calls that write, since the last time."""
        made = [line for line in self.api.log if not line.startswith("GET")]
        self.api.log.clear()
        return made

    def count(self, name: str, **labels: str) -> float:
        """A metric; 0 where it is not there."""
        return self.registry.get_sample_value(name, labels) or 0.0


async def test_a_profile_that_would_say_no_more_than_the_size_table_is_not_written() -> None:
    rig = Rig()
    rig.sees(pod())
    for minutes in (0, 10, 30, 60, 120):
        rig.now = MIDNIGHT + 3600 + minutes * 60
        await rig.sizer.size_urgent()
        await rig.sizer.size_all()

    assert rig.writes() == []
    await rig.checkpointer.flush()
    again = Fleet()
    restorer = Restorer(again)
    for path, shard in rig.api.objects.items():
        if "/open-day-" in path and not path.endswith(INCIDENTS):
            restorer.add_shard("x", shard["status"]["checkpoint"]["open-day"])
    assert list(again.workloads[WEB].rows) == ["app"]  # it is remembered without a profile


async def test_a_new_workload_is_written_with_its_first_use_and_then_only_when_it_changes() -> None:
    rig = Rig()
    rig.sees(pod())
    rig.uses(minutes=10)
    await rig.sizer.size_urgent()

    # Ten minutes are 0.7 % of a day, which has the weight n / (n + 1): the size table's 500m stand.
    assert rig.profile().recommendations[0].containers[0].target["cpu"] == 500
    assert rig.profile().recommendations[0].containers[0].samples == 10
    assert rig.profile().replicas == 1
    assert rig.api.objects[PROFILE]["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "stowplan"}
    rig.writes()
    await rig.sizer.size_urgent()
    await rig.sizer.size_all()
    assert rig.writes() == []

    rig.sees(pod(), pod("web-5d9c-b"))
    await rig.sizer.size_all()
    assert rig.writes() == [f"PATCH {PROFILE}/status"]
    assert rig.profile().replicas == 2


async def test_a_new_workload_is_looked_at_after_10_30_and_60_minutes() -> None:
    rig = Rig()
    rig.sees(pod())
    await rig.sizer.size_urgent()
    assert rig.writes() == []  # nothing is known yet

    written = []
    for minute in range(1, 180):
        rig.now += 60
        rig.uses(minutes=1)
        await rig.sizer.size_urgent()
        if rig.writes():
            written.append((minute, rig.profile().recommendations[0].containers[0].samples))
    assert written == [(10, 10), (30, 30), (60, 60)]  # from then on the hourly pass does it


async def test_numbers_that_are_held_are_published_with_the_first_look() -> None:
    rig = Rig()
    rig.sees(pod(cpu="2"))  # more than the size table: to be held until its use is known
    await rig.sizer.size_urgent()
    assert rig.writes() == []  # until then it is no more than what the pod says

    rig.now += 600
    await rig.sizer.size_urgent()
    assert rig.profile().recommendations[0].containers[0].target["cpu"] == 2000


async def test_an_oom_kill_of_a_new_workload_is_published_at_once() -> None:
    rig = Rig()
    rig.sees(pod())
    await rig.sizer.size_urgent()
    killed = Incident(IncidentKind.OOM_KILLED, "shop", "web-1", "u-1", "app", int(rig.now), memory_limit=2**32)
    feeder(rig.fleet).take_incident(killed, 120)
    await rig.sizer.size_urgent()

    # A request whose limit, by class, is 1.2 times the 4 GiB that were not enough.
    percent = BUILTIN_CLASSES["standard"].limits.memory_percent or 100
    assert rig.profile().recommendations[0].containers[0].target["memory"] * percent // 100 >= 1.2 * 2**32


async def test_a_restored_workload_is_not_new_again() -> None:
    rig = Rig()
    rig.sees(pod())
    rig.uses(minutes=10)
    await rig.sizer.size_urgent()
    fleet = Fleet()
    Restorer(fleet).add_profile(rig.profile(), digest(rig.profile()))

    assert not fleet.workloads[WEB].look_due(int(rig.now) + 86_400)


def _quiet(_second: int) -> float:
    return 400.0


def _busy_afternoon(second: int) -> float:
    """Half of the day far above all that was seen before."""
    return 4000.0 if second > 43_200 else 400.0


async def test_a_past_that_was_rehearsed_is_judged_before_the_first_profile_is_written() -> None:
    rig = Rig()
    rig.sees(pod())
    for day in range(DAY - 6, DAY):
        use = _busy_afternoon if day == DAY - 1 else _quiet
        feeder(rig.fleet).take(day_of(use, day=day), (day + 1) * 86_400)
        for _ in close_day(rig.fleet, day, rig.sizer.terms_of, (day + 1) * 86_400 + GRACE_S):
            pass
        await rig.sizer.rehearse((day + 1) * 86_400 + GRACE_S)
    assert rig.writes() == []

    await rig.sizer.size_all()
    risk = rig.profile().risk
    assert risk is not None
    assert risk.days == 5  # nothing stood on the first day
    assert risk.achieved.overrun == pytest.approx(1_000_000 * 0.5 / 5, rel=0.01)
    assert rig.fleet.at(0).slow.level_cpu < 0.03  # that is more than declared: tighter than standard starts


async def test_a_profile_that_says_the_same_is_renewed_before_the_webhook_takes_it_for_abandoned() -> None:
    rig = Rig()
    rig.sees(pod())
    rig.uses()
    await rig.sizer.size_urgent()
    rig.writes()
    rig.now += 3 * 86_400 - 1
    await rig.sizer.size_all()
    assert rig.writes() == []
    rig.now += 1
    await rig.sizer.size_all()

    assert rig.writes() == [f"PATCH {PROFILE}/status"]
    assert rig.profile().updated_s == int(rig.now)


async def test_a_failed_write_is_tried_again_a_minute_later() -> None:
    rig = Rig()
    rig.sees(pod())
    rig.uses()
    rig.api.fails = [Unreachable("down")]
    await rig.sizer.size_urgent()
    assert PROFILE not in rig.api.objects
    assert rig.count("stowplan_recommender_errors_total", part="profile", error="Unreachable") == 1

    rig.now += 59
    await rig.sizer.size_urgent()
    assert PROFILE not in rig.api.objects
    rig.now += 1
    await rig.sizer.size_urgent()
    assert PROFILE in rig.api.objects


async def test_without_the_lease_nothing_is_sent() -> None:
    rig = Rig(remaining=0.0)
    rig.sees(pod())
    await rig.sizer.size_urgent()
    await rig.checkpointer.flush()

    assert rig.writes() == []
    with pytest.raises(LeaseLostError):
        await rig.store.delete("shop", "Deployment", "web")


async def test_a_write_that_outlasts_the_lease_is_given_up() -> None:
    rig = Rig(remaining=0.01)

    async def slow(*_: object) -> None:
        await asyncio.sleep(10)

    rig.api.patch = slow  # type: ignore[method-assign, assignment] # an answer that does not come
    with pytest.raises(Unreachable, match="Lease"):
        await rig.store.write_checkpoint("00", "x")


async def test_the_pace_of_writes_is_bounded() -> None:
    rig = Rig()
    for number in range(9):
        tracked = rig.fleet.track(web(f"w{number}"), ["app"], int(rig.now), by_runs=False)
        assert tracked is not None
        rig.fleet.at(tracked.rows["app"]).slow.oom_bytes = 2**30  # something to say
    await rig.sizer.size_all()

    assert len(rig.api.objects) == 9
    assert sum(rig.slept) == 9 / 4.0  # nine profiles, four a second


async def test_a_profile_whose_namespace_is_gone_is_forgotten_with_its_pods() -> None:
    rig = Rig()
    rig.sees(pod())
    rig.uses()
    rig.api.gone = {"shop"}
    await rig.sizer.size_urgent()
    assert WEB in rig.fleet.workloads  # its pods are still there: perhaps only the definition is missing

    rig.sees()
    rig.now += 60
    await rig.sizer.size_urgent()
    assert WEB not in rig.fleet.workloads


async def test_workloads_without_pods_for_long_are_forgotten_with_their_profile() -> None:
    rig = Rig()
    rig.sees(pod())
    await rig.sizer.size_urgent()
    rig.sees()
    rig.now += 2 * 86_400 - 1
    await rig.sizer.clean_up()
    assert WEB in rig.fleet.workloads
    rig.now += 1
    rig.api.fails = [ApiError(500, "", "no")]
    await rig.sizer.clean_up()
    assert WEB in rig.fleet.workloads  # tried again the next time
    await rig.sizer.clean_up()

    assert not rig.fleet.workloads
    assert rig.fleet.containers == 0
    assert PROFILE not in rig.api.objects


async def test_what_the_namespace_allows_and_what_the_pods_ask_for_decide_the_classes() -> None:
    rig = Rig()
    policy = WorkloadPolicy("shop", default_class="batch", allowed_classes=("batch", "dev", "elastic", "unknown"))
    rig.classes.policies.upsert(("default", policy))
    rig.sees(pod(**{"stowplan.dev/cost": "save"}))
    rig.uses()
    await rig.sizer.size_urgent()
    assert [r.workload_class for r in rig.profile().recommendations] == ["batch", "dev", "elastic"]
    assert {r.cost for r in rig.profile().recommendations} == {Cost.SAVE}
    assert rig.profile().observed_class == "batch"

    newer = pod("web-5d9c-b", "2024-10-05T00:00:00Z", **{"stowplan.dev/class": "elastic"})
    rig.sees(pod(), newer)
    await rig.sizer.size_all()
    assert rig.profile().observed_class == "elastic"
    rig.classes.policies.delete(ObjectKey("shop", "default", ""))
    await rig.sizer.size_all()
    assert {r.workload_class for r in rig.profile().recommendations} == set(BUILTIN_CLASSES)


async def test_a_round_writes_each_shard_once_and_what_was_written_restores_the_fleet() -> None:
    rig = Rig()
    feeder(rig.fleet).take([sample(MIDNIGHT + 60 * m, 100.0) for m in range(1, 30)], MIDNIGHT + 3600)
    rig.handled = [("u", "app", 77)]
    rounds = asyncio.create_task(rig.checkpointer.run())
    await asyncio.wait_for(rig.many_sleeps.wait(), 120)
    rounds.cancel()

    assert rig.slept[:64] == [1.0] * 64  # 64 s for 64 shards
    objects = {item["spec"]["targetRef"]["name"]: item for item in rig.api.objects.values()}
    (shard,) = set(objects) - {INCIDENTS}
    assert objects[shard]["metadata"]["labels"] == {CHECKPOINT: "open-day"}
    assert incidents_of(objects[INCIDENTS]["status"]["checkpoint"]["open-day"]) == rig.handled
    found = Fleet()
    assert Restorer(found).add_shard(shard, objects[shard]["status"]["checkpoint"]["open-day"]) == int(rig.now)
    assert (found.days[DAY].counts[0] == rig.fleet.days[DAY].counts[0]).all()
    assert rig.checkpointer.age == 0
    rig.now += 7
    assert rig.checkpointer.age == 7


async def test_a_slow_api_server_does_not_make_rounds_longer() -> None:
    rig = Rig()
    feeder(rig.fleet).take([sample(MIDNIGHT + 60, 100.0)], MIDNIGHT + 3600)
    patch = rig.api.patch

    async def slow(path: str, body: object, content_type: str) -> object:
        rig.elapsed += 0.75
        return await patch(path, body, content_type)

    rig.api.patch = slow  # type: ignore[method-assign] # an answer takes 0.75 s
    rounds = asyncio.create_task(rig.checkpointer.run())
    await asyncio.wait_for(rig.many_sleeps.wait(), 120)
    rounds.cancel()

    # the one shard with a workload is made and then patched: 1.5 s, more than its second; all others have nothing to write
    assert sorted(rig.slept[:64]) == [0.0] + [1.0] * 63


async def test_a_workload_that_comes_within_a_round_is_written_in_it() -> None:
    rig = Rig()
    rounds = asyncio.create_task(rig.checkpointer.run())
    key = next(key for n in range(999) if shard_of(key := WorkloadKey("shop", "Deployment", f"w{n}")) == SHARDS - 1)
    while len(rig.slept) < 10:  # noqa: ASYNC110 - the round's own steps are counted
        await asyncio.sleep(0)
    rig.fleet.track(web(key.name), ["app"], int(rig.now), by_runs=False)
    await asyncio.wait_for(rig.many_sleeps.wait(), 120)
    rounds.cancel()

    assert [item["spec"]["targetRef"]["name"] for item in rig.api.objects.values()] == [f"{SHARDS - 1}"]


async def test_a_shard_that_became_empty_is_written_once_more() -> None:
    rig = Rig()
    feeder(rig.fleet).take([sample(MIDNIGHT + 60, 100.0)], MIDNIGHT + 3600)
    await rig.checkpointer.flush()
    before = {path: item["status"]["checkpoint"]["open-day"] for path, item in rig.api.objects.items()}
    rig.fleet.forget(WEB)
    await rig.checkpointer.flush()

    (path,) = before
    after = Fleet()
    assert Restorer(after).add_shard("x", rig.api.objects[path]["status"]["checkpoint"]["open-day"]) > 0
    assert not after.workloads


async def test_a_checkpoint_that_fails_is_counted_and_ages() -> None:
    rig = Rig()
    feeder(rig.fleet).take([sample(MIDNIGHT + 60, 100.0)], MIDNIGHT + 3600)
    await rig.checkpointer.flush()
    rig.now += 50
    rig.api.fails = [Unreachable("down")]
    await rig.checkpointer.flush()

    assert rig.count("stowplan_recommender_errors_total", part="checkpoint", error="Unreachable") == 1
    assert rig.checkpointer.age == 50


async def test_once_its_profile_is_written_a_closed_day_leaves_the_shard() -> None:
    rig = Rig()
    rig.sees(pod())
    feeder(rig.fleet).take(day_of(lambda _: 100.0), MIDNIGHT + 86_400)
    for _ in close_day(rig.fleet, DAY, standard, MIDNIGHT + 86_400 + GRACE_S):
        pass
    rig.now = MIDNIGHT + 86_400 + GRACE_S + 1.0
    tracked = rig.fleet.workloads[WEB]
    saved = [tracked.saved]
    await rig.sizer.size_all()

    assert [*saved, tracked.saved] == [False, True]
    assert rig.fleet.at(tracked.rows["app"]).saved_through == DAY
    found = Fleet()
    profile = rig.profile()
    Restorer(found).add_profile(profile, digest(profile))
    assert found.at(found.workloads[WEB].rows["app"]).newest == DAY
    assert found.workloads[WEB].digest == tracked.digest  # so a restart writes nothing that has not changed


async def test_reading_goes_page_by_page() -> None:
    rig = Rig()
    for name in ("a", "b", "c", "d", "e"):
        await rig.store.write_checkpoint(name, "x")
    rig.api.log.clear()

    assert len([item async for item in rig.store.all()]) == 5
    assert len(rig.api.log) == 3


def test_a_damaged_list_of_incidents_is_an_error() -> None:
    with pytest.raises(ValueError, match="damaged"):
        incidents_of("[[1]]")


async def test_a_workload_of_which_no_profile_can_be_made_keeps_no_other_from_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(fleet: Fleet, outcome: Outcome, *rest: Any) -> WorkloadProfile:
        if outcome[0].tracked.key.name == "aaa":
            raise TypeError("a number that cannot be written")
        return profile_of(fleet, outcome, *rest)

    monkeypatch.setattr("recommender.live.sizer.profile_of", made)
    rig = Rig()
    rig.uses()
    rig.fleet.workloads[WEB].urgent = True
    rig.fleet.track(web("aaa"), ["app"], int(rig.now), by_runs=False)
    await rig.sizer.size_urgent()

    assert rig.profile().recommendations
    assert rig.count("stowplan_recommender_errors_total", part="profile", error="TypeError") == 1


async def test_a_profile_that_cannot_be_sent_is_counted_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.uses()

    async def unsent(_: object) -> int:
        raise TypeError("Encoding objects of type numpy.float64 is unsupported")

    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "write", unsent)
        await rig.sizer.size_all()
    assert rig.count("stowplan_recommender_errors_total", part="profile", error="TypeError") == 1
    rig.now += 61
    await rig.sizer.size_urgent()

    assert rig.profile().recommendations
