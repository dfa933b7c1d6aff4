"""What the tests in a real kind cluster share: deployments that really run, and looks at what became of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.kind.cluster import KindCluster
from sandbox.kind.settings import IMAGE

NAMESPACE = "shop"
PAUSE = "registry.k8s.io/pause:3.10"
Manifest = dict[str, Any]


def deployment(name: str, replicas: int, selector: Manifest | None = None) -> str:
    """Of pods that do nothing, of size xs."""
    spec: Manifest = {"containers": [{"name": "app", "image": PAUSE}], "terminationGracePeriodSeconds": 0}
    if selector:
        spec |= {"nodeSelector": selector, "tolerations": [{"operator": "Exists"}]}
    return _deployment(name, replicas, {"stowplan.dev/class": "dev", "stowplan.dev/size": "xs"}, spec)


def program(name: str, script: Sequence[str], class_name: str) -> str:
    """A deployment of one pod that runs a Python program, in the one image with Python that is on the node."""
    command = ["python3", "-c", "\n".join(script)]
    container = {"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": command}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return _deployment(name, 1, {"stowplan.dev/class": class_name}, spec)


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


def eventually(condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1.0)
