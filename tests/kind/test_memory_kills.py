"""Real ends of containers other than the app's first process: init containers, sidecars, children, and ends that are none for memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from tests.support.kind import (
    NAMESPACE,
    eventually,
    memory_limit_of,
    memory_of,
    metric,
    pods_of,
    profile_of,
    program,
    recommended,
    runs,
    usage_is_learned,
)

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1500), pytest.mark.usefixtures("ending")]

MIB = 2**20
CALM = ("import signal, sys, time", "signal.signal(signal.SIGTERM, lambda *_: sys.exit())", "time.sleep(1e6)")
EATS = ("import time", "held = bytearray(b'1') * (600 << 20)", "time.sleep(1e6)")
MIGRATES = ("held = bytearray(b'1') * (120 << 20)",)
FORKS = (
    "import subprocess, sys, time",
    "subprocess.run([sys.executable, '-c', 'held = bytearray(b\"1\") * (300 << 20)'])",
    "time.sleep(5)",
    "sys.exit(1)",
)
"""As a server does that gives up some time after one of its workers was killed."""
ON_CALL = (
    "import signal",
    "held = [bytearray(b'1') * (200 << 20)]",
    "signal.signal(signal.SIGUSR1, lambda *_: held.append(bytearray(b'1') * (300 << 20)))",
    "while True: signal.pause()",
)
"""Holds 200 MiB, and needs more on SIGUSR1."""
FAILS = ("import sys, time", "time.sleep(2)", "sys.exit(1)")


@pytest.fixture(scope="module")
def ending(cluster: KindCluster, modest: str) -> Iterator[None]:
    """Workloads with something that needs more memory than it may have, and one that fails by itself."""
    tight = {"requests": {"memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    migrate, proxy = runs("migrate", MIGRATES, resources=tight), runs("proxy", EATS, restartPolicy="Always")
    made = (
        program("prepares", CALM, modest, initContainers=[migrate]),
        program("meshed", CALM, modest, initContainers=[proxy]),
        program("forks", FORKS, modest),
        program(
            "shares", ON_CALL, modest, resources={"limits": {"cpu": "1", "memory": "320Mi"}, "requests": {"cpu": "5m"}}
        ),
        program("fails", FAILS, modest),
    )
    for manifest in made:
        cluster.kubectl("apply", "-f", "-", text=manifest)
    apps = ("prepares", "meshed", "forks", "shares", "fails")
    eventually(lambda: all(pods_of(cluster, app) for app in apps), "all pods are there")
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", "deployment", *apps)


def _status(cluster: KindCluster, app: str, container: str) -> dict[str, Any]:
    """Of a container of a deployment's only pod; empty as long as the kubelet says nothing."""
    for pod in pods_of(cluster, app):
        status = pod["status"]
        for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            if one["name"] == container:
                return dict(one)
    return {}


def _ended(cluster: KindCluster, app: str, container: str) -> dict[str, Any]:
    """How a container ended that was started again."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(_status(cluster, app, container).get("lastState", {}).get("terminated", {}))
        return bool(found)

    eventually(has_ended, f"{container} of {app} has ended and is started again", 240)
    return found


def _replaced(cluster: KindCluster, app: str) -> dict[str, Any]:
    """The pod that takes the place of a deployment's only pod."""
    (old,) = pods_of(cluster, app)
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", old["metadata"]["name"], "--wait=true")
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{app}", "--timeout=120s")
    (new,) = pods_of(cluster, app)
    return new


def _asks_for(cluster: KindCluster, app: str, container: str, class_name: str, limit_mib: int) -> None:
    eventually(
        lambda: memory_limit_of(recommended(cluster, app, class_name, container)) >= limit_mib * MIB,
        f"the profile of {app} asks for more for {container}",
        90,
    )


def test_an_init_container_that_is_killed_gets_more_in_the_next_pod(cluster: KindCluster, modest: str) -> None:
    (pod,) = pods_of(cluster, "prepares")
    assert memory_of(pod, "migrate") == (64 * MIB, 64 * MIB)
    assert _ended(cluster, "prepares", "migrate")["exitCode"] == 137

    _asks_for(cluster, "prepares", "migrate", modest, 164)  # 64Mi and 100 MiB more

    after = _replaced(cluster, "prepares")
    assert memory_of(after, "migrate")[1] >= 164 * MIB
    assert memory_of(after) == memory_of(pod)  # the app is not blamed for it
    assert _status(cluster, "prepares", "migrate")["restartCount"] == 0


def test_a_sidecar_that_is_killed_gets_more_in_the_next_pod(cluster: KindCluster, modest: str) -> None:
    (pod,) = pods_of(cluster, "meshed")
    had = memory_of(pod, "proxy")[1]
    assert 0 < had < 600 * MIB
    assert _ended(cluster, "meshed", "proxy")["exitCode"] == 137

    _asks_for(cluster, "meshed", "proxy", modest, had // MIB + 100)

    after = _replaced(cluster, "meshed")
    assert memory_of(after, "proxy")[1] >= had + 100 * MIB
    assert memory_of(after) == memory_of(pod)


def test_a_kill_of_a_child_counts_once_the_container_ends(cluster: KindCluster, modest: str) -> None:
    (pod,) = pods_of(cluster, "forks")
    ended = _ended(cluster, "forks", "app")

    # cgroup v1: the kernel kills the child only, and containerd remembers. cgroup v2: the kubelet has the kernel kill the whole container.
    assert (ended["reason"], ended["exitCode"]) in (("OOMKilled", 1), ("OOMKilled", 137))
    _asks_for(cluster, "forks", "app", modest, memory_of(pod)[1] // MIB + 100)


def test_a_crash_loop_is_no_lack_of_memory(cluster: KindCluster, modest: str) -> None:
    before = metric(cluster, 'stowplan_incidents_total{kind="Restarted"}')
    ended = _ended(cluster, "fails", "app")
    assert (ended["reason"], ended["exitCode"]) == ("Error", 1)

    eventually(
        lambda: metric(cluster, 'stowplan_incidents_total{kind="Restarted"}') > before,
        "another restart is counted",
        240,
    )
    asked = recommended(
        cluster, "fails", modest
    )  # nothing while nothing is known of its use: the size table needs no profile
    assert memory_limit_of(asked) in (0, 240 * MIB)
    assert "OOM kill" not in asked.get("clamps", ())
    assert "regression" not in profile_of(cluster, "fails")


def test_a_container_without_a_limit_is_killed_at_its_pod_s(cluster: KindCluster, modest: str) -> None:
    (pod,) = pods_of(cluster, "shares")
    assert memory_of(pod) == (0, 0)  # pod-level resources are respected
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/shares", "--timeout=120s")
    usage_is_learned(cluster, "shares")

    eventually(lambda: _told_as_killed(cluster, pod["metadata"]["name"]), "it was killed", 240)

    # What it had to do with is not known, but what it was seen to use: 200 MiB, and 100 MiB more.
    _asks_for(cluster, "shares", "app", modest, 300)
    assert recommended(cluster, "shares", modest)["clamps"] == ["OOM kill"]
    for name, own in cluster.pods().items():
        if name.startswith("stowplan-recommender"):
            assert own["status"]["containerStatuses"][0]["restartCount"] == 0


def _told_as_killed(cluster: KindCluster, pod: str) -> bool:
    """Whether it was; else it is asked to use more. The first kill may be told as `Error`: without a limit, a restart like others."""
    status = _status(cluster, "shares", "app")
    if status.get("lastState", {}).get("terminated", {}).get("reason") == "OOMKilled":
        return True
    if "running" in status.get("state", {}):
        with suppress(SandboxError):  # it may have been killed meanwhile
            cluster.kubectl("-n", NAMESPACE, "exec", pod, "--", "sh", "-c", "(sleep 1; kill -USR1 1) &")
    return False
