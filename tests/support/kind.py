"""What the tests in a real kind cluster share: deployments that really run, and looks at what became of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.kind.cluster import KindCluster
from sandbox.kind.settings import IMAGE
from stowplan.model.keys import SYSTEM_NAMESPACE
from stowplan.model.quantity import parse_bytes

NAMESPACE = "shop"
PAUSE = "registry.k8s.io/pause:3.10"
Manifest = dict[str, Any]


def deployment(name: str, replicas: int, selector: Manifest | None = None) -> str:
    """Of pods that do nothing, of size xs."""
    spec: Manifest = {"containers": [{"name": "app", "image": PAUSE}], "terminationGracePeriodSeconds": 0}
    if selector:
        spec |= {"nodeSelector": selector, "tolerations": [{"operator": "Exists"}]}
    return _deployment(name, replicas, {"stowplan.dev/class": "dev", "stowplan.dev/size": "xs"}, spec)


def program(name: str, script: Sequence[str], class_name: str, replicas: int = 1, **pod_spec: Any) -> str:
    """A deployment whose pods run a Python program."""
    spec = {"containers": [runs("app", script)], "terminationGracePeriodSeconds": 0, **pod_spec}
    return _deployment(name, replicas, {"stowplan.dev/class": class_name}, spec)


def runs(name: str, script: Sequence[str], **more: Any) -> Manifest:
    """A container with a Python program, in the one image with Python that is on the node."""
    command = ["python3", "-c", "\n".join(script)]
    return {"name": name, "image": IMAGE, "imagePullPolicy": "Never", "command": command, **more}


def small_class(name: str, size: str, shape: str, explicit: str = "Respect") -> str:
    """A class by its cold start, with little CPU: beside a control plane not much of two cores is left to be asked for."""
    sizing = {"coldStart": {"size": size, "shape": shape}, "bounds": {"cpuMin": "5m", "cpuMax": "10m"}}
    spec = {"lifecycle": "stable", "description": "Asks for little.", "explicit": explicit, "sizing": sizing}
    body = {"apiVersion": "stowplan.dev/v1alpha1", "kind": "WorkloadClass", "metadata": {"name": name}, "spec": spec}
    return json.dumps(body)


def _deployment(name: str, replicas: int, extra_labels: Manifest, pod_spec: Manifest) -> str:
    labels = {"app": name}
    template = {"metadata": {"labels": {**labels, **extra_labels}}, "spec": pod_spec}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": NAMESPACE}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body})


def pods_of(cluster: KindCluster, app: str) -> list[Manifest]:
    """The pods of a deployment."""
    listed: Manifest = json.loads(cluster.kubectl("-n", NAMESPACE, "get", "pods", "-l", f"app={app}", "-o", "json"))
    items: list[Manifest] = listed["items"]
    return items


def memory_of(pod: Manifest, container: str = "app") -> tuple[int, int]:
    """Request and limit of a container, bytes; 0 where there is none."""
    listed = (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    (resources,) = (one.get("resources", {}) for one in listed if one["name"] == container)
    request, limit = (parse_bytes(resources.get(kind, {}).get("memory", "0")) for kind in ("requests", "limits"))
    return request, limit


def profile_of(cluster: KindCluster, name: str) -> Manifest:
    """The status of a deployment's profile; empty as long as there is none."""
    found = cluster.kubectl("-n", NAMESPACE, "get", "wprof", f"deployment-{name}", "--ignore-not-found", "-o", "json")
    return dict(json.loads(found).get("status", {})) if found else {}


def recommended(cluster: KindCluster, name: str, class_name: str, container: str = "app") -> Manifest:
    """What the profile says of a container under a class; empty as long as it says nothing."""
    of_class = [r for r in profile_of(cluster, name).get("recommendations", []) if r["class"] == class_name]
    found = [one for one in of_class[0]["containers"] if one["name"] == container] if of_class else []
    return dict(found[0]) if found else {}


def memory_limit_of(recommendation: Manifest) -> int:
    """The limit that a recommendation comes to under a class with limits of 125 %, bytes."""
    return parse_bytes(recommendation.get("target", {}).get("memory", "0")) * 125 // 100


def metric(cluster: KindCluster, series: str) -> float:
    """A metric of the recommender's pod, read through the API server."""
    (name,) = (name for name in cluster.pods() if name.startswith("stowplan-recommender"))
    page = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{name}:9090/proxy/metrics")
    return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{series} ")), 0.0)


def usage(cluster: KindCluster, name: str) -> Manifest:
    """What metrics-server tells of a deployment's only pod; empty as long as it has measured nothing."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{name}"
    items = json.loads(cluster.kubectl("get", "--raw", path))["items"]
    return dict(items[0]["containers"][0]["usage"]) if items else {}


def usage_is_learned(cluster: KindCluster, name: str) -> None:
    """Wait until the recommender has taken a sample of a deployment's only pod."""
    eventually(lambda: bool(usage(cluster, name)), f"metrics-server has measured {name}", 180)
    accepted = 'stowplan_usage_samples_accepted_total{source="metrics-api"}'
    before = metric(cluster, accepted)
    eventually(lambda: metric(cluster, accepted) > before, "the recommender has looked at what was measured", 180)


def first_memory(cluster: KindCluster, class_name: str) -> tuple[int, int]:
    """Memory request and limit that a new pod of a class would get, bytes."""
    pod = json.loads(program("probe", (), class_name))["spec"]["template"]
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    pod["metadata"] |= {"name": "probe", "namespace": NAMESPACE}
    made = cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=json.dumps(pod))
    return memory_of(json.loads(made))


def eventually(condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1.0)
