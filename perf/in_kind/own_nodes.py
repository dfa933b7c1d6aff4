"""Keeps a kind cluster's own nodes and those that KWOK plays apart: measured pods go to the latter, stowplan's pods to the former."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import Conflict
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
_PAUSE_SECONDS: Final = 0.5


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

    kube-controller-manager asks twenty times a second at most, and has several questions for each node. What it would do is done here:
    the taint of a node that is not ready yet is taken away, and addresses for pods are given (those of a node that is there, because
    there are only 256 ranges; it would go on asking for more, and nothing of KWOK's uses them).

    Raises:
        SandboxError: not in time.
        KubeError: the API server refused one.
    """
    async with ApiClient(connection) as api:
        addresses = _addresses((await api.list(NODES.path()))[0])
        await _each(manifests, lambda manifest: api.create(NODES.path(), _with(manifest, addresses)))
        waiting = {manifest["metadata"]["name"] for manifest in manifests}
        deadline = time.monotonic() + _READY_SECONDS
        while waiting:
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"{len(waiting)} of {len(manifests)} nodes are not ready after {_READY_SECONDS:.0f} s; is KWOK running?"
                )
            there = [node for node in (await api.list(NODES.path()))[0] if node["metadata"]["name"] in waiting]
            ready = [node for node in there if _is_ready(node)]
            await _each([node for node in ready if _taints(node)], lambda node: _untaint(api, node))
            waiting -= {node["metadata"]["name"] for node in ready if not _taints(node)}
            await asyncio.sleep(_PAUSE_SECONDS)


async def _each(items: Sequence[Manifest], call: Callable[[Manifest], Awaitable[object]]) -> None:
    """Call for every item, some at once."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await call(item)

    await asyncio.gather(*(work() for _ in range(_PARALLEL)))


def _addresses(nodes: Sequence[Manifest]) -> Manifest:
    """`podCIDR` and `podCIDRs` of one of the nodes; nothing where none has them."""
    specs = (node["spec"] for node in nodes if node["spec"].get("podCIDR"))
    return next(({key: spec[key] for key in ("podCIDR", "podCIDRs") if key in spec} for spec in specs), {})


def _with(node: Manifest, addresses: Manifest) -> Manifest:
    return {**node, "spec": {**node.get("spec", {}), **addresses}}


async def _untaint(api: ApiClient, node: Manifest) -> None:
    """Unless somebody has changed the node meanwhile: then it is looked at again."""
    version = node["metadata"]["resourceVersion"]
    kept = [taint for taint in node["spec"]["taints"] if taint not in _taints(node)]
    with suppress(Conflict):
        body = {"metadata": {"resourceVersion": version}, "spec": {"taints": kept}}
        await api.patch(NODES.path(name=node["metadata"]["name"]), body)


def _taints(node: Manifest) -> list[Manifest]:
    """Those by which Kubernetes says that a node is not ready, or has no network."""
    return [taint for taint in node["spec"].get("taints") or () if taint["key"].startswith("node.kubernetes.io/")]


def _is_ready(node: Manifest) -> bool:
    conditions = node["status"].get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
