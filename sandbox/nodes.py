"""Fake nodes with the shapes of real instance types, played by KWOK."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sandbox.activity import activity
from sandbox.control_plane import ControlPlane
from sandbox.probe import wait_until
from sandbox.usage import PATH_ANNOTATION, resource_metrics_path
from stowplan.catalog import InstanceType, load_catalog

REGION = "us-east-1"
"""The region whose prices the catalog holds."""
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
DEFAULT_MIX = ("m5.xlarge", "c5.2xlarge", "r5.xlarge", "m6i.2xlarge", "c6i.xlarge", "m7i.4xlarge")
"""Instance types of nodes that nobody chose: general, compute and memory shapes of several sizes."""
_CHUNK = 250
"""Nodes per kubectl call; its client allows a burst of 300 requests, then 50 a second."""
_PARALLEL = 4

Manifest = dict[str, Any]


def node_manifest(name: str, instance_type: InstanceType, *, zone: str, capacity_type: str = "on-demand") -> Manifest:
    """A Node that KWOK plays.

    Args:
        name: of the node, and its hostname.
        instance_type: its shape.
        zone: such as ``us-east-1a``; the region is the zone without its letter.
        capacity_type: ``on-demand`` or ``spot``, the label of Karpenter.
    """
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": instance_type.arch,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": instance_type.name,
        "topology.kubernetes.io/region": zone.rstrip("abcdefghijklmnopqrstuvwxyz"),
        "topology.kubernetes.io/zone": zone,
        "karpenter.sh/capacity-type": capacity_type,
    }
    if instance_type.gpu_model:
        labels["nvidia.com/gpu.product"] = instance_type.gpu_model
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake", PATH_ANNOTATION: resource_metrics_path(name)},
        },
        "status": {
            "capacity": _resources(instance_type, instance_type.cpu_millicores, instance_type.memory_bytes),
            "allocatable": _resources(
                instance_type,
                instance_type.allocatable_cpu_millicores,
                instance_type.allocatable_memory_bytes,
            ),
            "nodeInfo": {"architecture": instance_type.arch, "operatingSystem": "linux"},
        },
    }


def mixed_nodes(count: int, *, types: Sequence[str] = DEFAULT_MIX, zones: Sequence[str] = ZONES) -> list[Manifest]:
    """``count`` nodes called node-00000 and so on, types and zones in turn; the same every time.

    Raises:
        ValueError: the catalog does not list a type.
    """
    catalog = load_catalog()
    unknown = sorted(set(types) - catalog.keys())
    if unknown:
        raise ValueError(f"instance type {unknown[0]!r} is not in the catalog; choose one of its {len(catalog)} types")
    return [
        node_manifest(
            f"node-{index:05d}",
            catalog[types[index % len(types)]],
            # The zone advances once per round of types, so that every type comes to every zone.
            zone=zones[(index // len(types)) % len(zones)],
        )
        for index in range(count)
    ]


def create_nodes(control_plane: ControlPlane, manifests: Sequence[Manifest]) -> list[str]:
    """Create the nodes, some hundred a second; returns their names. Wait for them with `wait_ready`.

    Raises:
        SandboxError: the API server refused one; others may exist by then.
    """
    chunks = [manifests[start : start + _CHUNK] for start in range(0, len(manifests), _CHUNK)]

    def create(chunk: Sequence[Manifest]) -> None:
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(chunk)})
        control_plane.kubectl("create", "--validate=ignore", "-f", "-", stdin=body)

    with activity(f"Creating {len(manifests)} nodes") as progress, ThreadPoolExecutor(_PARALLEL) as pool:
        done = 0
        for chunk, _ in zip(chunks, pool.map(create, chunks), strict=True):
            done += len(chunk)
            progress.update("created", done, len(manifests))
    return [manifest["metadata"]["name"] for manifest in manifests]


def wait_ready(control_plane: ControlPlane, names: Sequence[str], *, timeout_seconds: float = 120.0) -> None:
    """Wait until pods can be scheduled to all these nodes: Ready, and no longer tainted as not ready.

    Raises:
        ComponentFailedError: not in time.
    """
    wanted = set(names)
    with activity(f"Waiting for {len(wanted)} nodes") as progress:

        def all_ready() -> bool:
            ready = wanted & _schedulable(control_plane)
            progress.update("ready", len(ready), len(wanted))
            return ready == wanted

        wait_until("nodes ready", all_ready, timeout_seconds=timeout_seconds, interval_seconds=0.3)


def _schedulable(control_plane: ControlPlane) -> set[str]:
    """Names of the nodes that are Ready and carry no taint that keeps all pods away."""
    template = (
        '{range .items[*]}{.metadata.name}{"\\t"}{.status.conditions[?(@.type=="Ready")].status}{"\\t"}'
        '{.spec.taints[*].key}{"\\n"}{end}'
    )
    lines = control_plane.kubectl("get", "nodes", "-o", f"jsonpath={template}").splitlines()
    rows = (line.split("\t") for line in lines)
    return {name for name, ready, taints in rows if ready == "True" and "node.kubernetes.io/" not in taints}


def _resources(instance_type: InstanceType, cpu_millicores: int, memory_bytes: int) -> Mapping[str, str]:
    """Kubernetes quantities; whole bytes and millicores need no rounding."""
    gpus = {"nvidia.com/gpu": str(instance_type.gpu_count)} if instance_type.gpu_count else {}
    return {
        "cpu": f"{cpu_millicores}m",
        "memory": str(memory_bytes),
        "ephemeral-storage": "100Gi",
        "pods": str(instance_type.max_pods),
        **gpus,
    }
