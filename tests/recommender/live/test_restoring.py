"""Checkpoints: what a restart finds again, and what becomes of damaged ones."""

import base64
import zlib
from collections import Counter

import msgspec
import pytest

from recommender.live.closing import close_day
from recommender.live.feeding import Place
from recommender.live.restoring import WORKLOAD, Damage, Restorer, checkpoint_of
from recommender.remembering.learned import Target
from recommender.workloads.fleet import SHARDS, Fleet, shard_of
from stowplan.model.profile import ClassRecommendation, ContainerRecommendation, WorkloadProfile
from stowplan.model.workload import Workload, WorkloadKey
from stowplan.model.workload_class import Cost
from tests.support.fleets import DAY, MIDNIGHT, day_of, feeder, sample, shard_text, standard, web

WEB = WorkloadKey("shop", "Deployment", "web")


def _fleet() -> Fleet:
    fleet = Fleet()
    feeder(fleet).take(day_of(lambda s: 100.0 + s / 1000), MIDNIGHT + 86_400)
    return fleet


def _profile(fleet: Fleet, **changes: str) -> WorkloadProfile:
    tracked = fleet.workloads[WEB]
    told = ContainerRecommendation("app", {"cpu": 300, "memory": 2**28})
    recommended = ClassRecommendation("standard", Cost.BALANCED, (told,))
    checkpoint = {**checkpoint_of(fleet, tracked), **changes}
    return WorkloadProfile("shop", "Deployment", "web", recommendations=(recommended,), checkpoint=checkpoint)


def _restored(profile: WorkloadProfile | None, *shards: str) -> tuple[Fleet, Counter[Damage]]:
    fleet, lost = Fleet(), Counter[Damage]()
    restorer = Restorer(fleet, lambda what: lost.update([what]))
    if profile is not None:
        restorer.add_profile(profile)
    for text in shards:
        restorer.add_shard("07", text)
    return fleet, lost


def test_a_profile_brings_back_history_targets_and_what_kind_of_workload_it_is() -> None:
    fleet = _fleet()
    for _ in close_day(fleet, DAY, standard, MIDNIGHT + 90_000):
        pass
    fleet.at(0).slow.targets["standard"] = Target(1, 1, 70, 80)
    found, lost = _restored(_profile(fleet))

    tracked = found.workloads[WEB]
    learned = found.at(tracked.rows["app"])
    assert not lost
    assert (learned.days, learned.newest, learned.saved_through) == (1, DAY, DAY)
    assert (tracked.saved, tracked.urgent, tracked.by_runs) == (True, False, False)
    # what was published counts, with the times of its last changes
    assert learned.slow.targets["standard"] == Target(300, 2**28, 70, 80)


@pytest.mark.parametrize("damage", ["9:xxxx", "1:####", "1:eJw=", "nonsense", ""])
def test_a_damaged_history_is_reported_and_learned_again(damage: str) -> None:
    found, lost = _restored(_profile(_fleet(), app=damage))

    assert lost == {Damage.CONTAINER: 1}
    assert found.at(found.workloads[WEB].rows["app"]).days == 0


def test_a_damaged_state_of_a_workload_costs_only_that() -> None:
    found, lost = _restored(_profile(_fleet(), **{WORKLOAD: "####"}))

    assert lost == {Damage.WORKLOAD: 1}
    assert WEB in found.workloads


def _repacked(change: int) -> str:
    """A shard in which one column was cut."""
    raw = msgspec.msgpack.decode(zlib.decompress(base64.b64decode(shard_text(_fleet()).partition(":")[2])))
    raw[3][DAY][change] = raw[3][DAY][change][:-1]
    return f"1:{base64.b64encode(zlib.compress(msgspec.msgpack.encode(raw))).decode()}"


@pytest.mark.parametrize(
    "text",
    ["2:xxxx", "1:####", "1:eJw=", "", "1:", *(_repacked(column) for column in range(1, 9))],
)
def test_a_damaged_shard_is_reported_and_learned_again(text: str) -> None:
    found, lost = _restored(_profile(_fleet()), text)

    assert lost == {Damage.SHARD: 1}
    assert not found.days


def test_every_workload_has_a_shard_that_never_changes() -> None:
    # CRC-32 of "shop/Deployment/web", as any zlib computes it
    assert shard_of(WEB) == zlib.crc32(b"shop/Deployment/web") % 64
    shards = Counter(shard_of(WorkloadKey("shop", "Deployment", f"w{n}")) for n in range(6400))
    assert len(shards) == SHARDS
    assert max(shards.values()) < 150  # 100 on average


def test_runs_and_starts_that_are_going_on_survive() -> None:
    fleet = Fleet()
    job = Place(Workload("shop", "CronJob", "report"), by_runs=True, started_s=MIDNIGHT)
    places = {"report": job, "web": Place(web(), started_s=MIDNIGHT)}
    feeder(fleet, places).take(
        [sample(MIDNIGHT + 60, 500.0, pod="report-1"), sample(MIDNIGHT + 60, 70.0)], MIDNIGHT + 60
    )
    found, lost = _restored(None, shard_text(fleet))

    assert not lost
    assert found.runs[job.workload.key]["report-1"].started_s == MIDNIGHT
    assert (found.run_sketches.counts[0] == fleet.run_sketches.counts[0]).all()
    (key, recording), *none = found.starts.recordings.items()
    assert (key, recording.started_s, recording.workload, none) == (("shop", "web-1", "app"), MIDNIGHT, WEB, [])
    assert recording.microcores.tolist() == fleet.starts.recordings[key].microcores.tolist()


def test_a_day_that_is_in_the_profile_already_is_not_counted_twice() -> None:
    """The crash came after the day was closed and its profile written, before its shard was."""
    fleet = _fleet()
    open_shard = shard_text(fleet)
    for _ in close_day(fleet, DAY, standard, MIDNIGHT + 90_000):
        pass
    found, _ = _restored(_profile(fleet), open_shard)

    assert not found.days
    assert found.at(found.workloads[WEB].rows["app"]).newest == DAY
