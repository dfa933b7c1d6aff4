"""What sizes learned from usage cost the webhook: added time of a review, and the memory of the store.

`python -m perf.profiles` prints a table and writes JSON. Reviews with and without profiles are taken in turn on the same bodies; what is
added is the difference of the percentiles. `best` is the processor time of the thread, of each of some hundred workloads the least of its
rounds: what the code itself takes, whatever else the machine does; p99 is over the workloads. `processor` is the same over all rounds
(caches that other processes emptied are in it), `clock` the time by the clock.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile import (
    AchievedRisk,
    ClassRecommendation,
    Confidence,
    ContainerRecommendation,
    Risk,
    WorkloadProfile,
)
from stowplan.model.profile_codec import profile_manifest
from stowplan.model.workload import Workload, WorkloadKey
from stowplan.model.workload_class import Cost
from webhook.app import AdmissionService
from webhook.containers import Container, read_containers
from webhook.learned import ProfileRecommender
from webhook.profiles import LearnedProfile, latest, project_profile
from webhook.recommendation import ColdStartRecommender, Recommender
from webhook.state import BUILTIN_PRIORITY_CLASSES, PROFILE_MAX_AGE_S, ClusterState
from webhook.stores import PerTarget
from webhook.workload import identify

WORKLOADS: Final = 10_000
CONTAINERS: Final = ("app", "mesh", "logs")
TARGET_US: Final = 100.0
"""Added p99 that a review may cost, in microseconds."""
_ASKED: Final = 200
_WARM_UP: Final = 300
_NOW_S: Final = 1_800_000_000
_CHECKPOINT: Final = "0" * 8_000


def measure(rounds: int = 10_000, workloads: int = WORKLOADS) -> dict[str, Any]:
    """Time and memory, in microseconds and bytes."""
    profiles, store = _filled(workloads)
    bodies = len(_numbers(profiles))
    return {
        "workloads": workloads,
        "containers": len(CONTAINERS),
        "classes": len(BUILTIN_CLASSES),
        "rounds": rounds,
        "target_added_p99_us": TARGET_US,
        **store,
        "review": _paired(*reviews(profiles), rounds, bodies),
        "look_up": _paired(*_look_ups(profiles), rounds, bodies),
    }


def fill(workloads: int) -> Mapping[WorkloadKey, LearnedProfile]:
    """The store as the reflector fills it."""
    store = PerTarget[LearnedProfile, LearnedProfile](latest)
    for number in range(workloads):
        store.upsert(project_profile(msgspec.json.encode(profile_manifest(_profile(number)))))
    return store.values


def _filled(workloads: int) -> tuple[Mapping[WorkloadKey, LearnedProfile], dict[str, Any]]:
    """The store, its size, and the time that one object takes."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    profiles = fill(workloads)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    raw = msgspec.json.encode(profile_manifest(_profile(0)))
    times = []
    for _ in range(500):
        started = time.thread_time_ns()
        project_profile(raw)
        times.append(time.thread_time_ns() - started)
    return profiles, {"store_bytes": held, "object_bytes": len(raw), "ingest_p50_us": median(times) / 1000}


def _profile(number: int) -> WorkloadProfile:
    """As long as the recommender's own texts; every number differs, so that nothing is shared that would not be in a cluster."""
    under = tuple(
        ClassRecommendation(
            name,
            Cost.BALANCED,
            tuple(_container(c, number * 100 + place) for place, c in enumerate(CONTAINERS)),
        )
        for name in BUILTIN_CLASSES
    )
    risk = AchievedRisk(Risk(60_000, 60_000, 40_000), Risk(number, 3_000, 0), 10)
    return WorkloadProfile(
        f"team-{number % 50}",
        "Deployment",
        f"service-{number}",
        updated_s=_NOW_S,
        observed_class="standard",
        recommendations=under,
        risk=risk,
        checkpoint=dict.fromkeys(CONTAINERS, _CHECKPOINT),
    )


def _container(name: str, number: int) -> ContainerRecommendation:
    formula = (
        f"cpu {number % 997}m: least with predicted overrun within 6.0% of time and unmet demand within 6.0% of use, at level"
        f" 0.{number % 89}; memory: least with P(breach day) within 4.0%, at level 0.{number % 83}"
    )
    target = {"cpu": 25 + number % 4000 // 25 * 25, "memory": (64 + number % 4096 // 64 * 64) * 2**20}
    return ContainerRecommendation(
        name,
        target,
        confidence=Confidence.HIGH,
        formula=formula,
        samples=20_000 + number % 977,
        days=14,
        clamps=("cpu step",),
        saving_micro_usd_per_hour=number,
    )


def _pod(number: int) -> dict[str, Any]:
    """A pod of a Deployment as the API server sends it, with the noise of a real one."""
    environment = [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(30)]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"service-{number}-5d4",
        "uid": "r",
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"service-{number}-5d4-",
            "labels": {"app": "shop", "stowplan.dev/class": "standard", "pod-template-hash": "5d4"},
            "ownerReferences": [owner],
        },
        "spec": {
            "containers": [{"name": name, "image": f"{name}:1", "env": environment} for name in CONTAINERS],
            "schedulerName": "default-scheduler",
            "priority": 0,
        },
    }


def _body(number: int) -> bytes:
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {
        "uid": "u",
        "kind": kind,
        "namespace": f"team-{number % 50}",
        "operation": "CREATE",
        "object": _pod(number),
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


_Call = Callable[[int], object]


def _numbers(profiles: Mapping[WorkloadKey, LearnedProfile]) -> list[int]:
    """Workloads all over the store."""
    return list(range(0, len(profiles), max(1, len(profiles) // _ASKED)))


def reviews(profiles: Mapping[WorkloadKey, LearnedProfile]) -> tuple[_Call, _Call]:
    """Reviews of pods of workloads all over the store, and the same reviews without profiles."""
    bodies = [_body(number) for number in _numbers(profiles)]
    services = [_service(known) for known in (profiles, {})]

    def review(service: AdmissionService) -> _Call:
        return lambda number: service.review(bodies[number % len(bodies)])

    return review(services[0]), review(services[1])


def _service(profiles: Mapping[WorkloadKey, LearnedProfile]) -> AdmissionService:
    state = ClusterState(
        priority_classes=BUILTIN_PRIORITY_CLASSES, scheduler_alive=True, zones=3, profiles=profiles, now_s=_NOW_S
    )
    return AdmissionService(lambda: state, CollectorRegistry())


def _look_ups(profiles: Mapping[WorkloadKey, LearnedProfile]) -> tuple[_Call, _Call]:
    """All containers of a pod, from the profile and from the size table."""
    asked: list[tuple[Workload, tuple[Container, ...]]] = []
    for number in _numbers(profiles):
        pod = _pod(number)
        asked.append((identify(pod, f"team-{number % 50}"), read_containers(pod)))
    standard = BUILTIN_CLASSES["standard"]

    def look_up(recommender: Recommender) -> _Call:
        def call(number: int) -> object:
            workload, containers = asked[number % len(asked)]
            return [recommender.recommend(workload, container, standard) for container in containers]

        return call

    return look_up(ProfileRecommender(profiles, _NOW_S, PROFILE_MAX_AGE_S)), look_up(ColdStartRecommender())


def _paired(ours: _Call, without: _Call, rounds: int, bodies: int) -> dict[str, Any]:
    """Percentiles of both, in turn round by round with the first one alternating."""
    spent: dict[bool, list[int]] = {True: [], False: []}
    elapsed: dict[bool, list[int]] = {True: [], False: []}
    for number in range(_WARM_UP + rounds):
        for known in (True, False) if number % 2 else (False, True):
            call = ours if known else without
            started, used = time.perf_counter_ns(), time.thread_time_ns()
            call(number)
            spent[known].append(time.thread_time_ns() - used)
            elapsed[known].append(time.perf_counter_ns() - started)
    kept = [{known: times[_WARM_UP:] for known, times in of.items()} for of in (spent, elapsed)]
    best = {known: [min(times[body::bodies]) for body in range(bodies)] for known, times in kept[0].items()}
    return {"best": _percentiles(best), "processor": _percentiles(kept[0]), "clock": _percentiles(kept[1])}


def _percentiles(times: Mapping[bool, list[int]]) -> dict[str, float]:
    """In microseconds."""
    found = {}
    for known, label in ((True, "with"), (False, "without")):
        kept = sorted(times[known])
        found[f"{label}_p50_us"] = median(kept) / 1000
        found[f"{label}_p99_us"] = kept[len(kept) * 99 // 100] / 1000
    found["added_p50_us"] = round(found["with_p50_us"] - found["without_p50_us"], 1)
    found["added_p99_us"] = round(found["with_p99_us"] - found["without_p99_us"], 1)
    return found


def show(found: Mapping[str, Any], console: Console) -> None:
    """The table for people."""
    title = f"Learned sizes, {found['workloads']:,} workloads x {found['containers']} containers x {found['classes']} classes"
    table = Table(title=title)
    for column in ("", "with p50", "p99", "without p50", "p99", "added p50", "added p99"):
        table.add_column(column, justify="right" if column else "left")
    keys = ("with_p50_us", "with_p99_us", "without_p50_us", "without_p99_us", "added_p50_us", "added_p99_us")
    for name, label in (("review", "review"), ("look_up", "look-ups alone")):
        for kind in ("best", "processor", "clock"):
            table.add_row(f"{label}, {kind}", *(f"{found[name][kind][key]:.0f} µs" for key in keys))
    console.print(table)
    console.print(
        f"store {found['store_bytes'] / 2**20:.0f} MiB (objects of {found['object_bytes'] / 2**10:.0f} KiB, checkpoints included), "
        f"ingest {found['ingest_p50_us']:.0f} µs an object; target: added p99 below {found['target_added_p99_us']:.0f} µs"
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m perf.profiles", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/perf"), help="directory of the results")
    parser.add_argument("--rounds", type=int, default=10_000, help="reviews of each kind")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "profiles.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    show(found, Console())


if __name__ == "__main__":
    main()
