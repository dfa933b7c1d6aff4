"""What real containers use and die of, as a real kubelet tells it: nothing of it is simulated."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sandbox.kind.cluster import KindCluster
from stowplan.model.keys import DECISION, SYSTEM_NAMESPACE, WHY
from stowplan.model.quantity import parse_bytes, parse_cpu
from tests.support.kind import (
    NAMESPACE,
    eventually,
    memory_limit_of,
    memory_of,
    metric,
    pods_of,
    program,
    recommended,
    usage,
    usage_is_learned,
)

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1500), pytest.mark.usefixtures("programs")]

MIB = 2**20
BUSY = (
    "import time",
    "held = bytearray(b'1') * (80 << 20)",
    "while True:",
    "    end = time.process_time() + 0.02",
    "    while time.process_time() < end: pass",
    "    time.sleep(0.08)",
)
"""20 ms of work and 80 ms of rest: at most a fifth of a core, less where the machine is busy. It holds 80 MiB, and the interpreter."""
HUNGRY = ("import time", "held = bytearray(b'1') * (300 << 20)", "time.sleep(1e6)")


@pytest.fixture(scope="module")
def programs(cluster: KindCluster, modest: str) -> Iterator[None]:
    """Both programs; one fits into what the class starts with (192Mi, limit 240Mi), the other is killed."""
    for name, script in (("busy", BUSY), ("hungry", HUNGRY)):
        cluster.kubectl("apply", "-f", "-", text=program(name, script, modest))
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", "deployment", "busy", "hungry")


def test_a_container_that_is_killed_for_memory_gets_more_the_next_time(cluster: KindCluster, modest: str) -> None:
    killed = 'stowplan_incidents_total{kind="OOMKilled"}'
    eventually(lambda: bool(pods_of(cluster, "hungry")), "the pod is there")
    first = memory_of(pods_of(cluster, "hungry")[0])
    assert first == (192 * MIB, 240 * MIB)

    eventually(lambda: metric(cluster, killed) >= 1, "the recommender has seen a kill", 240)
    # VPA's rule: the limit of 240Mi and 100 MiB more make 340 MiB, which a limit of 125 % of the request has to hold.
    eventually(
        lambda: memory_limit_of(recommended(cluster, "hungry", modest)) >= 340 * MIB, "its profile asks for more", 90
    )
    asked = recommended(cluster, "hungry", modest)
    assert asked["clamps"] == ["OOM kill"]
    assert asked["formula"] == "size table of the class, memory for the 340 MiB that an OOM kill asks for"
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "-l", "app=hungry", "--wait=true")
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/hungry", "--timeout=120s")

    (after,) = pods_of(cluster, "hungry")
    request, limit = memory_of(after)
    assert request > first[0]
    assert limit >= 340 * MIB
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
    decision = json.loads(after["metadata"]["annotations"][DECISION])
    assert decision["learned"]["app"]["clamps"] == ["OOM kill"]
    assert "OOM kill" in after["metadata"]["annotations"][WHY]


def test_the_usage_of_real_containers_is_learned(cluster: KindCluster, modest: str) -> None:
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/busy", "--timeout=120s")
    usage_is_learned(cluster, "busy")
    assert metric(cluster, 'stowplan_usage_source_up{source="metrics-api"}') == 1

    # The first profile with usage in it is written ten minutes after the workload was seen. A recommender that starts writes one at once,
    # from what the last one has left.
    cluster.kubectl("-n", SYSTEM_NAMESPACE, "delete", "pod", "-l", "app.kubernetes.io/name=stowplan-recommender")
    eventually(
        lambda: recommended(cluster, "busy", modest).get("samples", 0) >= 1, "samples of the kubelet are in it", 120
    )
    assert recommended(cluster, "busy", modest)["source"] == "size-table-and-own"
    used = usage(cluster, "busy")
    assert 80 * MIB <= parse_bytes(used["memory"]) <= 240 * MIB  # what it holds, and its limit
    assert 1 <= parse_cpu(used["cpu"]) <= 300  # a fifth of a core; the kubelet's window may begin within a period
