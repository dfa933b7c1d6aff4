"""What a plan says, a real kube-scheduler does: every placement, in the plan's own order, with the pods' own constraints.

Each pod is created behind a scheduling gate, nominated to its planned node (`status.nominatedNodeName`, tried first since Kubernetes 1.35)
and released. A refused node would send the pod elsewhere or leave it pending. A pin by node affinity would not do: it narrows what a spread
constraint counts.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from extender.binpacking.planning import make_plan
from extender.binpacking.validation import validate
from extender.cluster.cache import Cache
from extender.cluster.snapshot import Snapshot
from extender.plan import Plan
from sandbox.control_plane import ControlPlane
from sandbox.nodes import create_nodes, mixed_nodes, wait_ready
from sandbox.probe import wait_until
from stowplan.kube.projection import SignatureInterner, project_node, project_pod
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import PodSignature

Kubectl = Callable[..., Any]
GATE = "stowplan.dev/test"
RUN_LABEL = "stowplan.dev/test-run"
ZONE = "topology.kubernetes.io/zone"
HOSTNAME = "kubernetes.io/hostname"
APPS = 8


@pytest.fixture(scope="module")
def run(control_plane: ControlPlane) -> str:
    """Twelve nodes of their own (label value), a third of them tainted."""
    name = uuid.uuid4().hex[:8]
    manifests = mixed_nodes(12)
    for index, manifest in enumerate(manifests):
        node = f"plan-{name}-{index:02d}"
        manifest["metadata"]["name"] = node
        manifest["metadata"]["labels"] |= {HOSTNAME: node, RUN_LABEL: name, "pool": "ab"[index % 2]}
        if index % 3 == 0:
            manifest["spec"] = {"taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}]}
    wait_ready(control_plane, create_nodes(control_plane, manifests))
    return name


def pod_manifests(run: str, namespace: str, seed: int) -> list[dict[str, Any]]:
    """Random apps, some of whose constraints concern each other."""
    rng = random.Random(seed)  # noqa: S311  # a repeatable choice of test cases
    manifests = []
    for app in range(APPS):
        spec = _spec(rng, app) | {"nodeSelector": {RUN_LABEL: run}, "schedulingGates": [{"name": GATE}]}
        if rng.random() < 0.3:
            spec["nodeSelector"]["pool"] = rng.choice("ab")
        for replica in range(rng.randint(1, 5)):
            metadata = {"name": f"app{app}-{replica}", "namespace": namespace, "labels": {"app": f"app{app}"}}
            manifests.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    return manifests


def _spec(rng: random.Random, app: int) -> dict[str, Any]:
    requests = {"cpu": rng.choice(["100m", "700m", "1500m", "3"]), "memory": rng.choice(["100M", "1Gi", "5Gi"])}
    container: dict[str, Any] = {"name": "main", "image": "none", "resources": {"requests": requests}}
    spec: dict[str, Any] = {"containers": [container]}
    if rng.random() < 0.4:
        spec["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
    other = {"labelSelector": {"matchLabels": {"app": f"app{rng.randrange(APPS)}"}}}
    own = {"labelSelector": {"matchLabels": {"app": f"app{app}"}}}
    match rng.randrange(6):
        case 0:
            container["ports"] = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
        case 1:
            spread = {"topologyKey": ZONE, "maxSkew": rng.randint(1, 2), "whenUnsatisfiable": "DoNotSchedule"}
            spread["nodeTaintsPolicy"] = rng.choice(["Honor", "Ignore"])
            spec["topologySpreadConstraints"] = [spread | own]
        case 2:
            term = rng.choice([own, other]) | {"topologyKey": rng.choice([ZONE, HOSTNAME])}
            spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        case 3:
            term = rng.choice([own, own, other]) | {"topologyKey": ZONE}
            spec["affinity"] = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        case _:
            pass
    return spec


def observe(kubectl: Kubectl, namespace: str) -> tuple[Snapshot, dict[PodSignature, list[str]]]:
    """The cluster as the extender sees it, with the gated pods of the namespace taken for pending; their names by signature."""
    cache = Cache(frozenset({"default-scheduler"}))
    interner = SignatureInterner()
    names: dict[PodSignature, list[str]] = defaultdict(list)
    for raw in kubectl("get", "nodes")["items"]:
        cache.upsert_node(project_node(json.dumps(raw).encode()))
    for raw in kubectl("get", "pods", "--all-namespaces")["items"]:
        gated = raw["spec"].pop("schedulingGates", None)
        pod = project_pod(json.dumps(raw).encode(), interner)
        if raw["metadata"]["namespace"] == namespace and gated:
            names[pod.signature].append(pod.name)
            cache.upsert_pod(pod)
        elif pod.node_name:
            cache.upsert_pod(pod)
    return cache.snapshot(), names


def planned(snapshot: Snapshot) -> Plan:
    return make_plan(snapshot, None, BUILTIN_CLASSES, time_limit_s=0, work_limit=0.5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_placement_is_accepted(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, run: str, seed: int
) -> None:
    manifests = pod_manifests(run, namespace, seed)
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    control_plane.kubectl("create", "-f", "-", stdin=body)
    snapshot, names = observe(kubectl, namespace)
    assert sum(snapshot.pending.values()) == len(manifests)

    plan = planned(snapshot)

    assert plan.placed >= len(manifests) // 2  # else the case proves little
    for signature, node in validate(snapshot, plan.slots).order:
        pod = names[signature].pop()
        release(control_plane, namespace, pod, node)
        assert node_of(control_plane, namespace, pod) == node, (signature, node)
    control_plane.kubectl("delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0", "--wait=true")


def release(control_plane: ControlPlane, namespace: str, pod: str, node: str) -> None:
    """Nominate the pod, then open its gate."""
    status = json.dumps({"status": {"nominatedNodeName": node}})
    control_plane.kubectl("patch", "pod", pod, "-n", namespace, "--subresource=status", "--type=merge", "-p", status)
    gate = json.dumps({"spec": {"schedulingGates": None}})
    control_plane.kubectl("patch", "pod", pod, "-n", namespace, "--type=merge", "-p", gate)


def node_of(control_plane: ControlPlane, namespace: str, pod: str) -> str:
    """The node that the scheduler has bound the pod to."""

    def read() -> str:
        return control_plane.kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.spec.nodeName}")

    wait_until(f"pod {pod} bound", lambda: bool(read()), interval_seconds=0.05)
    return read()
