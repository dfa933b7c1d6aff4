"""Incidents, each once. Times are within the hour of T = 2023-11-14 22:00:00 UTC."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from recommender.sources.incidents import EventFeed, IncidentKey, IncidentLog, event_reflectors
from recommender.sources.memory_events import REASONS, project_memory_event
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import Incident, IncidentKind
from recommender.sources.pod_fates import PodFate, project_pod_fate
from stowplan.kube.client import ApiClient
from stowplan.kube.codec import ObjectKey
from stowplan.kube.reflector_metrics import ReflectorMetrics
from tests.support.fake_api import FakeApi, serving_api

T = 1_699_999_200
MIB = 2**20


def ended(minute: int, reason: str = "OOMKilled", exit_code: int = 137) -> dict[str, Any]:
    at = f"2023-11-14T22:{minute:02}:00Z"
    return {"terminated": {"reason": reason, "exitCode": exit_code, "finishedAt": at}}


def pod(uid: str = "u1", name: str = "web-0", *statuses: dict[str, Any], **status: Any) -> PodFate:
    """A pod whose `app` has a limit and whose init container `migrate` has a request only."""
    raw = {
        "metadata": {"name": name, "namespace": "shop", "uid": uid},
        "spec": {
            "initContainers": [{"name": "migrate", "resources": {"requests": {"memory": "64Mi"}}}],
            "containers": [{"name": "app", "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}}],
        },
        "status": {"containerStatuses": list(statuses), **status},
    }
    return project_pod_fate(json.dumps(raw).encode())


def app(restarts: int, **states: Any) -> dict[str, Any]:
    return {"name": "app", "restartCount": restarts, **states}


class Bed:
    """A log whose deliveries are kept."""

    def __init__(self, handled: list[IncidentKey] | None = None) -> None:
        self.registry = CollectorRegistry()
        self.now = T + 3600.0
        self.seen: list[Incident] = []
        metrics = SourceMetrics(self.registry)
        self.log = IncidentLog(self.seen.append, metrics, handled=handled or (), clock=lambda: self.now)

    @property
    def short(self) -> list[tuple[str, str, int]]:
        """Kind, container and minutes after T."""
        return [(i.kind.value, i.container, (i.t_s - T) // 60) for i in self.seen]


def test_an_oom_kill_is_delivered_with_its_limit() -> None:
    bed = Bed()
    bed.log.replace([pod("u1", "web-0", app(1, lastState=ended(5), state={"running": {}}))])
    assert bed.seen == [Incident(IncidentKind.OOM_KILLED, "shop", "web-0", "u1", "app", T + 300, 2048 * MIB)]
    assert bed.registry.get_sample_value("stowplan_incidents_total", {"kind": "OOMKilled"}) == 1


def test_each_once_though_it_moves_and_is_listed_again() -> None:
    bed = Bed()
    bed.log.upsert(pod("u1", "web-0", app(0, state=ended(5))))  # killed just now
    bed.log.upsert(pod("u1", "web-0", app(0, state={"waiting": {}}, lastState=ended(5))))  # back-off
    bed.log.replace([pod("u1", "web-0", app(1, state={"running": {}}, lastState=ended(5)))])
    assert bed.short == [("OOMKilled", "app", 5)]
    bed.log.upsert(pod("u1", "web-0", app(2, lastState=ended(9))))
    assert bed.short == [("OOMKilled", "app", 5), ("OOMKilled", "app", 9)]


def test_a_new_process_of_ours_does_not_repeat_them() -> None:
    first = Bed()
    dead = pod("u1", "web-0", app(1, lastState=ended(5)))
    first.log.replace([dead])
    assert first.log.handled == [("u1", "app", T + 300)]
    second = Bed(first.log.handled)
    second.log.replace([dead])
    assert second.seen == []
    second.log.upsert(pod("u1", "web-0", app(2, lastState=ended(7))))
    assert second.short == [("OOMKilled", "app", 7)]


def test_a_new_pod_of_the_same_name_is_another() -> None:
    bed = Bed()
    bed.log.upsert(pod("u1", "web-0", app(1, lastState=ended(5))))
    bed.log.delete(ObjectKey("shop", "web-0", "u1"))
    bed.log.upsert(pod("u2", "web-0", app(1, lastState=ended(5))))
    assert [i.pod_uid for i in bed.seen] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"lastState": ended(5, "Error", 1)}, [("Restarted", "app", 5)]),
        ({"lastState": ended(5, "Error", 137)}, [("Killed", "app", 5)]),  # perhaps for memory: its use will tell
        ({"state": ended(5, "Error", 137)}, []),  # as a pod that is deleted ends, too
        ({"lastState": ended(5, "Completed", 0)}, []),  # an orderly end
        ({"state": ended(5, "Error", 1)}, []),  # not started again (yet)
        ({"state": ended(5, "OOMKilled", 0)}, [("OOMKilled", "app", 5)]),  # the reason counts
        ({"state": {"running": {}}, "lastState": {}}, []),
    ],
)
def test_what_an_end_was(states: dict[str, Any], expected: list[tuple[str, str, int]]) -> None:
    bed = Bed()
    bed.log.replace([pod("u1", "web-0", app(1, **states))])
    assert bed.short == expected


def test_a_kill_without_a_reason_carries_when_its_run_began() -> None:
    bed = Bed()
    last = {"terminated": {**ended(5, "Error")["terminated"], "startedAt": "2023-11-14T22:02:00Z"}}
    bed.log.replace([pod("u1", "web-0", app(1, lastState=last))])
    assert bed.seen == [Incident(IncidentKind.KILLED, "shop", "web-0", "u1", "app", T + 300, 2048 * MIB, T + 120)]


def test_what_has_no_limit_is_not_killed_at_one() -> None:
    bed = Bed()
    status = {"name": "migrate", "restartCount": 1, "lastState": ended(3, "Error")}
    bed.log.replace([pod("u1", "web-0", initContainerStatuses=[status])])  # it has a request only
    assert bed.short == [("Restarted", "migrate", 3)]


def test_init_containers_count_with_their_request() -> None:
    bed = Bed()
    status = {"name": "migrate", "restartCount": 1, "lastState": ended(3)}
    bed.log.replace([pod("u1", "web-0", initContainerStatuses=[status])])
    assert [(i.container, i.memory_limit) for i in bed.seen] == [("migrate", 64 * MIB)]


def test_the_limit_in_force_wins_over_the_written_one() -> None:
    bed = Bed()
    bed.log.replace([pod("u1", "web-0", app(1, lastState=ended(5), resources={"limits": {"memory": "3Gi"}}))])
    assert [i.memory_limit for i in bed.seen] == [3072 * MIB]


def test_restarts_whose_end_is_unknown_count_when_the_number_rises() -> None:
    bed = Bed()
    bed.log.replace([pod("u1", "web-0", app(3))])
    assert bed.seen == []  # nobody knows when that was
    bed.log.upsert(pod("u1", "web-0", app(4)))
    bed.log.upsert(pod("u1", "web-0", app(4)))
    assert bed.short == [("Restarted", "app", 60)]  # seen at the hour's end
    assert bed.log.handled == [("u1", "app", -4)]


def test_pods_that_have_gone_are_forgotten_after_a_day() -> None:
    bed = Bed([("gone", "app", T), ("there", "app", T)])
    bed.now = T + 25 * 3600.0
    bed.log.replace([pod("there", "web-0")])
    assert bed.log.handled == [("there", "app", T)]


def test_memory_of_many_short_pods_is_bounded() -> None:
    bed = Bed()
    bed.log.replace([])
    for number in range(5000):
        bed.now = T + 600.0 + number * 60  # 83 hours in all
        at = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": _iso(int(bed.now))}
        bed.log.upsert(pod(f"u{number}", "job", app(0, state={"terminated": at})))
        bed.log.delete(ObjectKey("shop", "job", f"u{number}"))
    assert len(bed.seen) == 5000
    assert len(bed.log.handled) <= 2 * 24 * 60 + 1  # twice what a day brings


def _iso(t_s: int) -> str:
    hours, rest = divmod(t_s - T + 22 * 3600, 3600)
    return f"2023-11-{14 + hours // 24}T{hours % 24:02}:{rest // 60:02}:{rest % 60:02}Z"


def evicted(**changes: Any) -> bytes:
    event: dict[str, Any] = {
        "metadata": {
            "name": "web-0.17a",
            "annotations": {
                "offending_containers": "app,cache",
                "offending_containers_usage": "3Gi,1Gi",
                "starved_resource": "memory",
            },
        },
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-0", "uid": "u1"},
        "reason": "Evicted",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2023-11-14T22:10:00Z",
        "lastTimestamp": "2023-11-14T22:12:00Z",
    }
    return json.dumps({**event, **changes}).encode()


def observe(bed: Bed, raw: bytes) -> None:
    event = project_memory_event(raw)
    if event is not None:
        EventFeed(bed.log).upsert(event)


def test_an_eviction_is_laid_to_the_containers_that_the_kubelet_names() -> None:
    bed = Bed()
    bed.log.replace([pod()])
    observe(bed, evicted())
    observe(bed, evicted(lastTimestamp="2023-11-14T22:20:00Z"))  # the same event, repeated
    assert [(i.kind, i.container, i.t_s, i.memory_limit) for i in bed.seen] == [
        (IncidentKind.EVICTED, "app", T + 600, 3072 * MIB),  # what it used, not its limit
        (IncidentKind.EVICTED, "cache", T + 600, 1024 * MIB),  # not in the pod that we know
    ]


@pytest.mark.parametrize("usage", ["", "3Gi", "3Gi,1Gi,2Gi", "much,-1"])
def test_an_eviction_that_does_not_tell_what_was_used_counts_with_the_limits(usage: str) -> None:
    bed = Bed()
    bed.log.replace([pod()])
    annotations = {
        "offending_containers": "app,cache",
        "starved_resource": "memory",
        "offending_containers_usage": usage,
    }
    observe(bed, evicted(metadata={"annotations": annotations}))
    assert [(i.container, i.memory_limit) for i in bed.seen] == [("app", 2048 * MIB), ("cache", 0)]


def test_an_eviction_is_seen_even_after_its_pod() -> None:
    bed = Bed()
    observe(bed, evicted())
    assert [(i.namespace, i.pod, i.memory_limit) for i in bed.seen] == [
        ("shop", "web-0", 3072 * MIB),
        ("shop", "web-0", 1024 * MIB),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": {"component": "taint-eviction-controller"}},
        {"metadata": {"annotations": {"offending_containers": "app", "starved_resource": "ephemeral-storage"}}},
        {"metadata": {}},
        {"involvedObject": {"kind": "Node", "name": "n1"}},
        {"reason": "Killing"},
    ],
)
def test_other_events_are_left_out(changes: dict[str, Any]) -> None:
    assert project_memory_event(evicted(**changes)) is None


UID = "0f9d8a1c-2b3c-4d5e-8f90-a1b2c3d4e5f6"


def oom_event(message: str) -> bytes:
    return json.dumps(
        {
            "metadata": {"name": "n1.17b", "creationTimestamp": "2023-11-14T22:30:00Z"},
            "involvedObject": {"kind": "Node", "name": "n1", "uid": "n1"},
            "reason": "OOMKilling",
            "message": message,
        }
    ).encode()


def test_a_kernel_kill_is_laid_to_a_pod_whose_cgroup_is_named() -> None:
    bed = Bed()
    single = {
        "metadata": {"name": "job-1", "namespace": "shop", "uid": UID},
        "spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "1Gi"}}}]},
    }
    bed.log.replace([project_pod_fate(json.dumps(single).encode())])
    slice_ = f"kubepods-burstable-pod{UID.replace('-', '_')}.slice"
    observe(
        bed, oom_event(f"oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/kubepods.slice/{slice_}/cri-1.scope,task=x")
    )
    assert [(i.kind.value, i.pod, i.container, i.t_s, i.memory_limit) for i in bed.seen] == [
        ("OOMKilled", "job-1", "main", T + 1800, 1024 * MIB)
    ]


def test_a_kernel_kill_that_the_status_shows_as_well_is_one() -> None:
    bed = Bed()
    raw = {
        "metadata": {"name": "job-1", "namespace": "shop", "uid": UID},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"containerStatuses": [{"name": "main", "restartCount": 1, "lastState": ended(30)}]},
    }
    bed.log.replace([project_pod_fate(json.dumps(raw).encode())])
    observe(bed, oom_event(f"task_memcg=/kubepods/burstable/pod{UID}/c1"))
    assert bed.short == [("OOMKilled", "main", 30)]


def test_what_names_nobody_is_counted() -> None:
    bed = Bed()
    bed.log.replace([pod()])
    observe(bed, oom_event("Memory cgroup out of memory: Killed process 17 (node)"))
    observe(bed, oom_event(f"task_memcg=/kubepods/pod{UID}/c1"))  # a pod that is not known
    assert bed.seen == []
    assert bed.registry.get_sample_value("stowplan_incidents_unattributed_total", {"reason": "OOMKilling"}) == 2


def test_a_pod_without_statuses_or_numbers() -> None:
    container = {"name": "a", "resources": {"limits": {"memory": "lots"}}}
    raw = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {"containers": [container]}}
    (fate,) = project_pod_fate(json.dumps(raw).encode()).containers
    assert (fate.name, fate.restarts, fate.endings, fate.memory_limit) == ("a", 0, (), 0)


async def test_a_watch_of_events_ends_before_its_silence_is_taken_for_death() -> None:
    fake = FakeApi()
    async with serving_api(fake) as api, asyncio.timeout(60):
        reflectors = event_reflectors(api, Bed().log, ReflectorMetrics())
        tasks = [asyncio.create_task(reflector.run()) for reflector in reflectors]
        while len(fake.watches()) < len(reflectors):  # noqa: ASYNC110 - the server does not signal
            await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    presumed_dead = inspect.signature(ApiClient.watch).parameters["idle_seconds"].default
    assert {query["fieldSelector"] for query in fake.watches()} == {f"reason={reason}" for reason in REASONS}
    assert all(60 <= int(query["timeoutSeconds"]) < presumed_dead for query in fake.watches())
