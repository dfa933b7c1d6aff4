"""Fills an API server: nodes, and pods that are on them already, so that nothing has to be scheduled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from perf.instances import TYPES
from sandbox.nodes import ZONES, node_manifest
from stowplan.catalog import load_catalog
from stowplan.kube.client import ApiClient
from stowplan.kube.paths import PODS
from stowplan.model.keys import SCHEDULER_NAME

Manifest = dict[str, Any]

NAMESPACE: Final = "cold-start"
_IN_FLIGHT: Final = 48
_PER_OWNER: Final = 25


def nodes(count: int) -> list[Manifest]:
    """Nodes of five EC2 types in three zones."""
    catalog = load_catalog()
    return [
        node_manifest(f"node-{index:05d}", catalog[TYPES[index % len(TYPES)]], zone=ZONES[index % len(ZONES)])
        for index in range(count)
    ]


def pod(number: int, node: str = "") -> Manifest:
    """A pod as a Deployment's would look, on the node or waiting for our scheduler."""
    app = _app(number)
    environment = [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(12)]
    container = {
        "name": "app",
        "image": "registry.k8s.io/pause:3.10",
        "env": environment,
        "resources": {"requests": {"cpu": "20m", "memory": "48Mi"}},
    }
    # No kubelet plays these nodes: without the toleration their pods would be evicted after five minutes.
    spec: Manifest = {
        "schedulerName": SCHEDULER_NAME,
        "containers": [container],
        "tolerations": [{"operator": "Exists"}],
    }
    if node:
        spec["nodeName"] = node
    metadata = {"name": name(number), "labels": {"app": app, "stowplan.dev/class": "standard"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def name(number: int) -> str:
    """The name of a pod."""
    return f"{_app(number)}-{number}"


def _app(number: int) -> str:
    return f"app-{number // _PER_OWNER}"


async def create(api: ApiClient, pods: Sequence[Manifest], progress: Callable[[str, int, int], None]) -> None:
    """Create the pods, some at once."""
    left = iter(enumerate(pods))

    async def worker() -> None:
        for number, manifest in left:
            await api.create(PODS.path(NAMESPACE), manifest)
            if number % 500 == 0:
                progress("creating pods", number, len(pods))

    await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT)))
