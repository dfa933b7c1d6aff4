"""What a kubelet and containerd tell of real ends, and what we make of it.

`golden/kubelet/endings.json` holds statuses of real pods, one after the other, as a watch of a kind cluster delivered them (Kubernetes
1.36.3, containerd 2.2.9, cgroup v1), without what is not read. Containers have a limit of 64Mi, but for one of 4Mi and two that share
one of their pod. Minutes and seconds are those of `finishedAt`. `evictions.json` holds the Events of two evictions, with a soft threshold
that was raised to more than there was. Of `node-restarted` the last status is what `kubectl get` showed: the watch ended with the node.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from recommender.sources.incidents import IncidentLog
from recommender.sources.memory_events import project_memory_event
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import Incident
from recommender.sources.pod_fates import project_pod_fate

ENDINGS: Final = Path(__file__).parents[2] / "golden" / "kubelet" / "endings.json"
EVICTIONS: Final = ENDINGS.with_name("evictions.json")
NOW: Final = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
"""When those are seen of which nobody knows when they were."""


def incidents_of(name: str) -> list[Incident]:
    recorded: dict[str, Any] = json.loads(ENDINGS.read_text("ascii"))[name]
    seen: list[Incident] = []
    log = IncidentLog(seen.append, SourceMetrics(), clock=NOW.timestamp)
    for status in [*recorded["statuses"], *recorded["statuses"][-1:]]:  # the last one twice, as after a relist
        pod = {"metadata": {"name": name, "namespace": "shop", "uid": "u"}, "spec": recorded["spec"], "status": status}
        log.upsert(project_pod_fate(json.dumps(pod).encode()))
    return seen


def _short(incident: Incident) -> str:
    return f"{incident.kind} {incident.container} {datetime.fromtimestamp(incident.t_s, UTC):%M:%S}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first-process-killed", ["OOMKilled app 39:49", "OOMKilled app 39:52", "OOMKilled app 40:06"]),
        ("init-container-killed", ["OOMKilled migrate 39:50", "OOMKilled migrate 39:52"]),
        ("sidecar-killed", ["OOMKilled proxy 39:49", "OOMKilled proxy 39:53"]),
        ("job-killed", ["OOMKilled app 39:50"]),  # restartPolicy Never: it is not started again
        # A child was killed; containerd remembers it until the first process ends, by itself or with its pod.
        ("child-killed-then-exit-1", ["OOMKilled app 39:51", "OOMKilled app 39:54"]),
        ("child-killed-then-exit-0", ["OOMKilled app 40:20"]),
        ("child-killed-pod-deleted-later", ["OOMKilled app 42:36"]),  # killed at 39:48
        ("probe-killed-pod-deleted-later", ["OOMKilled app 42:35"]),  # the command of an exec probe, every 10 s
        # The fourth was one like the others: the runtime heard of it too late, and only use can tell.
        (
            "killed-and-once-told-as-error",
            [f"OOMKilled app {at}" for at in ("39:50", "39:52", "40:07")] + ["Killed app 40:31", "OOMKilled app 41:27"],
        ),
        # The limit is too small for runc itself: StartError, exit code 128, and a message.
        ("limit-too-small-to-start", ["OOMKilled app 17:14", "OOMKilled app 17:16"]),
        # The other container ended by itself with exit code 3, and is told to be OOM-killed.
        (
            "killed-at-the-limit-of-the-pod",
            [f"OOMKilled eater {at}" for at in ("40:12", "40:22", "40:45")]
            + ["Restarted calm 41:02", "OOMKilled eater 41:17"],
        ),
        # Nobody ran out of memory.
        ("exit-1-in-crash-loop", ["Restarted app 39:51", "Restarted app 39:56"]),
        ("exit-137-by-itself", ["Killed app 39:51"]),
        ("liveness-failed", [f"Killed app {at}" for at in ("39:54", "39:57", "40:03")]),
        ("no-such-command", ["Restarted app 17:15", "Restarted app 17:16"]),
        # Nobody saw how they ended. ContainerStatusUnknown, exit code 137: the kubelet makes it up; the Event tells of the eviction.
        ("container-removed-behind-the-kubelet", []),
        ("evicted", []),
        ("all-containers-restarted", []),  # by a rule, since one of them ended with exit code 42
        ("node-restarted", []),  # Unknown, exit code 255
        ("shim-lost", ["Restarted app 00:00"]),  # counted up first, told as Error with exit code 255 later
    ],
)
def test_real_ends(name: str, expected: list[str]) -> None:
    assert [_short(incident) for incident in incidents_of(name)] == expected


@pytest.mark.parametrize(("name", "limit_mib"), [("first-process-killed", 64), ("killed-at-the-limit-of-the-pod", 0)])
def test_the_limit_is_the_container_s_own(name: str, limit_mib: int) -> None:
    assert {incident.memory_limit for incident in incidents_of(name)} == {limit_mib * 2**20}


def test_a_real_eviction_tells_what_was_used() -> None:
    seen: list[Incident] = []
    log = IncidentLog(seen.append, SourceMetrics(), clock=NOW.timestamp)
    for raw in json.loads(EVICTIONS.read_text("ascii")):
        event = project_memory_event(json.dumps(raw).encode())
        assert event is not None
        log.observe_event(event)

    # Requests were 64Mi and 32Mi, limits 1Gi; a third container used less than it had asked for.
    assert [(i.pod, i.container, i.memory_limit) for i in seen] == [
        ("ev-eater", "app", 413_388 * 1024),
        ("ev-eater", "cache", 208_180 * 1024),
        ("ev-init", "side", 156_880 * 1024),
    ]
