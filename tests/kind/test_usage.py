"""What real containers use and die of, as a real kubelet tells it: nothing of it is simulated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.kind.cluster import KindCluster
from stowplan.model.keys import SYSTEM_NAMESPACE
from stowplan.model.quantity import parse_bytes, parse_cpu
from tests.support.kind import NAMESPACE, eventually, pods_of, program

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1500), pytest.mark.usefixtures("programs")]

MIB = 2**20
CLASS = "modest"
HUNGRY_MIB = 300
BUSY = (
    "import time",
    "held = bytearray(b'1') * (80 << 20)",
    "while True:",
    "    end = time.process_time() + 0.02",
    "    while time.process_time() < end: pass",
    "    time.sleep(0.08)",
)
"""20 ms of work and 80 ms of rest: at most a fifth of a core, less where the machine is busy. It holds 80 MiB, and the interpreter."""
HUNGRY = ("import time", f"held = bytearray(b'1') * ({HUNGRY_MIB} << 20)", "time.sleep(1e6)")


@pytest.fixture(scope="module")
def programs(cluster: KindCluster) -> Iterator[None]:
    """Both programs, under a class whose pods start with 192Mi (limit 240Mi): one fits into that, the other is killed."""
    # Little CPU: beside a control plane not much of two cores is left to be asked for.
    sizing = {"coldStart": {"size": "xs", "shape": "cpu"}, "bounds": {"cpuMin": "10m", "cpuMax": "25m"}}
    small = {"lifecycle": "stable", "description": "Starts with little.", "sizing": sizing}
    wanted = {
        "apiVersion": "stowplan.dev/v1alpha1",
        "kind": "WorkloadClass",
        "metadata": {"name": CLASS},
        "spec": small,
    }
    cluster.kubectl("apply", "-f", "-", text=json.dumps(wanted))
    eventually(lambda: _known(cluster), "the webhook knows the class", 60)
    for name, script in (("busy", BUSY), ("hungry", HUNGRY)):
        cluster.kubectl("apply", "-f", "-", text=program(name, script, CLASS))
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", "deployment", "busy", "hungry")


def _known(cluster: KindCluster) -> bool:
    """Whether a pod of the class would get the size with which it starts."""
    probe = json.loads(program("probe", HUNGRY, CLASS))["spec"]["template"]
    probe |= {"apiVersion": "v1", "kind": "Pod"}
    probe["metadata"] |= {"name": "probe", "namespace": NAMESPACE}
    made = json.loads(cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=json.dumps(probe)))
    return memory_of(made) == (192 * MIB, 240 * MIB)


def memory_of(pod: dict[str, Any]) -> tuple[int, int]:
    """Request and limit of a pod's only container, bytes; 0 where there is none."""
    resources = pod["spec"]["containers"][0].get("resources", {})
    request, limit = (parse_bytes(resources.get(kind, {}).get("memory", "0")) for kind in ("requests", "limits"))
    return request, limit


def recommended(cluster: KindCluster, name: str) -> dict[str, Any]:
    """What the workload's profile says under the class; empty as long as there is none."""
    found = cluster.kubectl("-n", NAMESPACE, "get", "wprof", f"deployment-{name}", "--ignore-not-found", "-o", "json")
    profile = json.loads(found) if found else {}
    of_class = [r for r in profile.get("status", {}).get("recommendations", []) if r["class"] == CLASS]
    return dict(of_class[0]["containers"][0]) if of_class else {}


def metric(cluster: KindCluster, series: str) -> float:
    """A metric of the recommender's pod, read through the API server."""
    (name,) = (name for name in cluster.pods() if name.startswith("stowplan-recommender"))
    page = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{name}:9090/proxy/metrics")
    return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{series} ")), 0.0)


def test_a_container_that_is_killed_for_memory_gets_more_the_next_time(cluster: KindCluster) -> None:
    killed = 'stowplan_incidents_total{kind="OOMKilled"}'
    eventually(lambda: bool(pods_of(cluster, "hungry")), "the pod is there")
    first = memory_of(pods_of(cluster, "hungry")[0])
    assert first == (192 * MIB, 240 * MIB)

    eventually(lambda: metric(cluster, killed) >= 1, "the recommender has seen a kill", 240)
    # VPA's rule: the limit of 240Mi and 100 MiB more make 340 MiB, which a limit of 125 % of the request has to hold.
    eventually(
        lambda: (
            parse_bytes(recommended(cluster, "hungry").get("target", {}).get("memory", "0")) * 125 // 100 >= 340 * MIB
        ),
        "its profile asks for more",
        90,
    )
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "-l", "app=hungry", "--wait=true")
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/hungry", "--timeout=120s")

    (after,) = pods_of(cluster, "hungry")
    request, limit = memory_of(after)
    assert request > first[0]
    assert limit >= 340 * MIB
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def usage(cluster: KindCluster, name: str) -> dict[str, Any]:
    """What metrics-server tells of a deployment's only pod; empty as long as it has measured nothing."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{name}"
    items = json.loads(cluster.kubectl("get", "--raw", path))["items"]
    return dict(items[0]["containers"][0]["usage"]) if items else {}


def test_the_usage_of_real_containers_is_learned(cluster: KindCluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/busy", "--timeout=120s")
    eventually(lambda: bool(usage(cluster, "busy")), "metrics-server has measured the pod", 180)
    accepted = 'stowplan_usage_samples_accepted_total{source="metrics-api"}'
    before = metric(cluster, accepted)
    eventually(lambda: metric(cluster, accepted) > before, "the recommender has looked at what was measured", 180)
    assert metric(cluster, 'stowplan_usage_source_up{source="metrics-api"}') == 1

    # The profile was written when the workload was new, and is again at the next pass, within the hour. A recommender that starts makes
    # one at once, from what the last one has left.
    cluster.kubectl("-n", SYSTEM_NAMESPACE, "delete", "pod", "-l", "app.kubernetes.io/name=stowplan-recommender")
    eventually(lambda: recommended(cluster, "busy").get("samples", 0) >= 1, "samples of the kubelet are in it", 120)
    assert recommended(cluster, "busy")["source"] == "size-table-and-own"
    used = usage(cluster, "busy")
    assert 80 * MIB <= parse_bytes(used["memory"]) <= 240 * MIB  # what it holds, and its limit
    assert 1 <= parse_cpu(used["cpu"]) <= 300  # a fifth of a core; the kubelet's window may begin within a period
