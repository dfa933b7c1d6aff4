"""OOM kills and evictions as a real API server tells them. No kubelet runs here, so the test writes what one would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from recommender.sources.incidents import IncidentKey, IncidentLog, event_reflectors, pod_reflector
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import Incident, IncidentKind
from sandbox.control_plane import ControlPlane
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.paths import EVENTS, PODS
from stowplan.kube.reflector import Selection
from stowplan.kube.reflector_metrics import ReflectorMetrics

AT = "2026-01-02T03:04:05Z"
AT_S = 1_767_323_045
GIB = 2**30


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(180):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


@asynccontextmanager
async def watching(
    api: ApiClient, namespace: str, handled: list[IncidentKey]
) -> AsyncIterator[tuple[IncidentLog, list[Incident]]]:
    """A log fed by running reflectors, and what it delivers of the namespace."""
    seen: list[Incident] = []

    def keep(incident: Incident) -> None:
        if incident.namespace == namespace:  # other tests share the API server
            seen.append(incident)

    log = IncidentLog(keep, SourceMetrics(), handled=handled)
    metrics = ReflectorMetrics()
    pods = pod_reflector(api, log, metrics, selection=Selection(namespace))
    events = event_reflectors(api, log, metrics)
    tasks = [asyncio.create_task(run) for run in (pods.run(), *(reflector.run() for reflector in events))]
    try:
        await pods.wait_synced()
        yield log, seen
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def pod(name: str) -> dict[str, Any]:
    """A pod that no scheduler takes, so that nobody but the test writes its status."""
    container = {"name": "app", "image": "fake", "resources": {"limits": {"memory": "2Gi"}}}
    return {"metadata": {"name": name}, "spec": {"schedulerName": "nobody", "containers": [container]}}


def killed(restarts: int, finished_at: str) -> dict[str, Any]:
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": finished_at, "startedAt": finished_at}
    status = {"name": "app", "restartCount": restarts, "ready": False, "image": "fake", "imageID": ""}
    return {"status": {"containerStatuses": [{**status, "lastState": {"terminated": ended}}]}}


def eviction(namespace: str, name: str, uid: str) -> dict[str, Any]:
    annotations = {"offending_containers": "app", "offending_containers_usage": "3Gi", "starved_resource": "memory"}
    return {
        "metadata": {"name": f"{name}.evicted", "namespace": namespace, "annotations": annotations},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": name, "uid": uid, "apiVersion": "v1"},
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "type": "Warning",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2026-01-02T03:07:05Z",
        "lastTimestamp": "2026-01-02T03:07:05Z",
        "count": 1,
    }


async def test_each_incident_once_through_relists_and_restarts(control_plane: ControlPlane, namespace: str) -> None:
    async with ApiClient(Connection.from_kubeconfig(control_plane.kubeconfig)) as api:
        created = await api.create(PODS.path(namespace), pod("web-0"))
        uid = created["metadata"]["uid"]
        status = PODS.path(namespace, "web-0", "status")
        async with watching(api, namespace, []) as (log, seen):
            await api.patch(status, killed(1, AT), "strategic-merge-patch")
            await until(lambda: len(seen) == 1)
            assert seen == [Incident(IncidentKind.OOM_KILLED, namespace, "web-0", uid, "app", AT_S, 2 * GIB, AT_S)]
            await api.create(EVENTS.path(namespace), eviction(namespace, "web-0", uid))
            await until(lambda: len(seen) == 2)
            assert (seen[1].kind, seen[1].t_s) == (IncidentKind.EVICTED, AT_S + 180)
            # An Event that the kubelet sends for another reason changes nothing, and neither does the same status again.
            other = {**eviction(namespace, "web-0", uid), "reason": "BackOff"}
            other["metadata"] = {"name": "web-0.other", "namespace": namespace}
            await api.create(EVENTS.path(namespace), other)
            await api.patch(
                status, {**killed(1, AT), "metadata": {"labels": {"touched": "yes"}}}, "strategic-merge-patch"
            )
            await api.patch(status, killed(2, "2026-01-02T03:10:05Z"), "strategic-merge-patch")
            await until(lambda: len(seen) == 3)
            assert seen[2].t_s == AT_S + 360
            handled = log.handled
        async with watching(api, namespace, handled) as (
            _,
            seen_again,
        ):  # as after a restart of ours: all is listed again
            await api.patch(status, killed(3, "2026-01-02T03:20:05Z"), "strategic-merge-patch")
            await until(lambda: len(seen_again) > 0)
            assert [incident.t_s for incident in seen_again] == [AT_S + 960]
