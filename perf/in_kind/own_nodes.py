"""Keeps a kind cluster's own nodes and those that KWOK plays apart: measured pods go to the latter, stowplan's pods to the former."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.paths import NODES

Manifest = dict[str, Any]

OWN: Final = "stowplan.dev/perf"
"""Label and taint of kind's own nodes."""
PLACEMENT: Final[Mapping[str, Any]] = {
    "nodeSelector": {OWN: "own"},
    "tolerations": [{"key": OWN, "operator": "Exists"}],
}
"""Of pods that have to run for real."""
_PARALLEL: Final = 16
_READY_SECONDS: Final = 300.0


def keep_apart(cluster: KindCluster) -> None:
    """Label and taint kind's own nodes, and keep its DaemonSets on them. To be called before there are other nodes.

    Raises:
        SandboxError: kubectl failed.
    """
    cluster.kubectl("label", "nodes", "--all", "--overwrite", f"{OWN}=own")
    patch = json.dumps({"spec": {"template": {"spec": {"nodeSelector": {OWN: "own"}}}}})
    for name in cluster.kubectl("-n", "kube-system", "get", "daemonsets", "-o", "name").split():
        cluster.kubectl("-n", "kube-system", "patch", name, "-p", patch)
        cluster.kubectl("-n", "kube-system", "rollout", "status", name, "--timeout=120s")
    cluster.kubectl("taint", "nodes", "--all", "--overwrite", f"{OWN}=own:NoSchedule")


async def add_nodes(connection: Connection, manifests: Sequence[Manifest]) -> None:
    """Create nodes that KWOK plays, and wait until pods can be scheduled to them.

    Raises:
        SandboxError: not in time.
        KubeError: the API server refused one.
    """
    async with ApiClient(connection) as api:
        left = iter(manifests)

        async def work() -> None:
            for manifest in left:
                await api.create(NODES.path(), manifest)

        await asyncio.gather(*(work() for _ in range(_PARALLEL)))
        wanted = {manifest["metadata"]["name"] for manifest in manifests}
        deadline = time.monotonic() + _READY_SECONDS
        while not wanted <= await _ready(api):
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"not all of {len(wanted)} nodes are ready after {_READY_SECONDS:.0f} s; is KWOK running?"
                )
            await asyncio.sleep(1.0)


async def _ready(api: ApiClient) -> set[str]:
    """Names of the nodes that are Ready and no longer tainted as not ready."""
    items, _ = await api.list(NODES.path())
    return {item["metadata"]["name"] for item in items if _is_ready(item)}


def _is_ready(node: Manifest) -> bool:
    taints = node["spec"].get("taints") or ()
    if any(taint["key"].startswith("node.kubernetes.io/") for taint in taints):
        return False
    conditions = node["status"].get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
