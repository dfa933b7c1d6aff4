"""stowplan in a real kind cluster, from image to placed pod: what runs as processes everywhere else runs as pods here."""

import json

import pytest

from sandbox.activity import activity
from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from sandbox.nodes import node_manifest
from stowplan.catalog import load_catalog
from stowplan.model.keys import DECISION, SCHEDULER_NAME, SYSTEM_NAMESPACE, WHY
from tests.support.kind import NAMESPACE, deployment, eventually, pods_of

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1500)]


def test_every_pod_of_stowplan_is_ready_and_none_was_restarted(cluster: KindCluster) -> None:
    pods = cluster.pods()

    assert {name.rsplit("-", 2)[0] for name in pods} >= {"stowplan-webhook", "stowplan-scheduler", "stowplan-rotation"}
    for name, pod in pods.items():
        for container in pod["status"]["containerStatuses"]:
            assert container["ready"], (name, container)
            ended = container["lastState"].get("terminated", {})
            # On cgroup v1 runc is not always able to freeze what it starts ("unable to freeze"), and the kubelet tries again.
            assert container["restartCount"] == 0 or ended.get("reason") == "StartError", (name, container)


def test_a_pod_is_sized_explained_placed_and_runs(cluster: KindCluster) -> None:
    cluster.kubectl("apply", "-f", "-", text=deployment("real", 1))
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/real", "--timeout=120s")

    for pod in pods_of(cluster, "real"):
        assert pod["spec"]["schedulerName"] == SCHEDULER_NAME
        assert pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "100m"  # size xs
        assert pod["metadata"]["annotations"][WHY].startswith("dev: app gets")
        assert json.loads(pod["metadata"]["annotations"][DECISION])["reason"] == "NamedSize"


def test_pods_are_packed_on_fake_nodes_beside_the_real_one(cluster: KindCluster) -> None:
    catalog = load_catalog()
    manifests = [node_manifest(f"fake-{n}", catalog["m5.xlarge"], zone="us-east-1a") for n in range(6)]
    for manifest in manifests:
        manifest["metadata"]["labels"]["kind.test/fake"] = "yes"
        manifest["spec"] = {"taints": [{"key": "kind.test/fake", "value": "yes", "effect": "NoSchedule"}]}
        cluster.kubectl("create", "-f", "-", text=json.dumps(manifest))
    cluster.kubectl("wait", "--for=condition=Ready", *(f"node/{m['metadata']['name']}" for m in manifests))
    cluster.kubectl("apply", "-f", "-", text=deployment("many", 24, {"kind.test/fake": "yes"}))

    eventually(lambda: sum("nodeName" in p["spec"] for p in pods_of(cluster, "many")) == 24, "24 pods have nodes")

    # 24 pods of 100m are 2.4 cores; an m5.xlarge leaves 3.92, so one node suffices and six would be the spread.
    assert len({pod["spec"]["nodeName"] for pod in pods_of(cluster, "many")}) <= 2


def test_pods_are_created_while_the_webhook_is_down(cluster: KindCluster) -> None:
    cluster.kubectl("-n", SYSTEM_NAMESPACE, "scale", "deployment/stowplan-webhook", "--replicas=0")
    try:
        eventually(lambda: not any("webhook" in name for name in cluster.pods()), "the webhook's pods are gone")
        cluster.kubectl("apply", "-f", "-", text=deployment("unsized", 1))
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/unsized", "--timeout=120s")
    finally:
        cluster.kubectl("-n", SYSTEM_NAMESPACE, "scale", "deployment/stowplan-webhook", "--replicas=1")
        cluster.kubectl("-n", SYSTEM_NAMESPACE, "rollout", "status", "deployment/stowplan-webhook", "--timeout=180s")

    (pod,) = pods_of(cluster, "unsized")
    assert WHY not in pod["metadata"].get("annotations", {})
    assert pod["spec"]["schedulerName"] == "default-scheduler"


def test_a_cluster_that_is_there_already_is_not_touched(cluster: KindCluster) -> None:
    with activity("again") as progress, pytest.raises(SandboxError, match="already"):
        KindCluster(cluster.settings, progress).start()

    assert cluster.pods()
