"""Environments in an existing cluster: namespaces of our own, one per run, removed afterwards.

Nothing that is not ours is touched. Everything we create carries a label whose value is unique to this demo, and is
deleted by name. Without `kwok_nodes` the pods go to the cluster's own nodes and really run there.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from demo.cluster import DemoNode
from demo.environment import Environment, Variant
from demo.errors import DemoError
from demo.manifests import RUN_LABEL
from sandbox.activity import activity
from sandbox.nodes import node_manifest
from stowplan.catalog import load_catalog, price_of
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import KubeError, NotFound
from stowplan.kube.paths import LEASES, MUTATING_WEBHOOK_CONFIGURATIONS, NAMESPACES, NODES, PODS
from stowplan.model import keys
from stowplan.model.quantity import parse_amount

T = TypeVar("T")

_NOT_INSTALLED = (
    "stowplan is not installed in this cluster ({what} is missing); install it with "
    "`kubectl apply -k manifests/overlays/kind` or another overlay, or leave out the run: --runs stock"
)
_GONE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Cluster:
    connection: Connection
    run: str
    """Label value, unique to this demo."""
    kwok_nodes: bool


def existing_places(
    kubeconfig: Path | None, context: str | None, *, kwok_nodes: bool
) -> Callable[[Variant, Sequence[DemoNode]], AbstractContextManager[Environment]]:
    """Places in the cluster of the kubeconfig.

    Args:
        kubeconfig: a file; None looks where kubectl does.
        context: of the kubeconfig; None is the current one.
        kwok_nodes: add the demo's node set (a KWOK controller must run in the cluster) and keep the pods on it.

    Raises:
        ConnectionConfigError: no usable kubeconfig.
    """
    connection = Connection.resolve(str(kubeconfig) if kubeconfig else None, context=context)
    cluster = _Cluster(connection, f"demo-{secrets.token_hex(4)}", kwok_nodes)
    return lambda variant, nodes: _place(cluster, variant, nodes)


@contextmanager
def _place(cluster: _Cluster, variant: Variant, nodes: Sequence[DemoNode]) -> Iterator[Environment]:
    """A namespace for one run, and with KWOK the nodes; both removed at the end of the block."""
    namespace = f"stowplan-{cluster.run}-{variant}"
    _check(cluster, variant)
    try:
        if cluster.kwok_nodes:
            nodes = [_renamed(node, cluster.run) for node in nodes]
            with activity(f"Creating {len(nodes)} nodes"):
                _call(cluster, lambda api: _create_nodes(api, nodes, cluster.run))
        else:
            nodes = _call(cluster, list_nodes)
        yield Environment(
            variant,
            cluster.connection,
            nodes,
            namespace,
            cluster.run,
            node_selector={RUN_LABEL: cluster.run} if cluster.kwok_nodes else {},
            **_services(cluster, variant),
        )
    finally:
        with activity(f"Removing namespace {namespace}"):
            _call(
                cluster,
                lambda api: _remove(api, namespace, [node.name for node in nodes] if cluster.kwok_nodes else []),
            )


def _call(cluster: _Cluster, work: Callable[[ApiClient], Awaitable[T]]) -> T:
    async def with_client() -> T:
        async with ApiClient(cluster.connection) as api:
            return await work(api)

    return asyncio.run(with_client())


def _check(cluster: _Cluster, variant: Variant) -> None:
    """Refuse what this cluster cannot do, before anything is created."""
    if variant is Variant.MOST_ALLOCATED:
        raise DemoError("run most-allocated needs a default scheduler of its own; leave it out with --cluster current")
    if variant.opts_in:
        missing = _call(cluster, missing_part)
        if missing is not None:
            raise DemoError(_NOT_INSTALLED.format(what=missing))


async def missing_part(api: ApiClient) -> str | None:
    """What of stowplan is not there, in words, or None when it is installed."""
    configurations, _ = await api.list(MUTATING_WEBHOOK_CONFIGURATIONS.path())
    if not any("stowplan" in configuration["metadata"]["name"] for configuration in configurations):
        return "its MutatingWebhookConfiguration"
    try:
        await api.get(LEASES.path(keys.SYSTEM_NAMESPACE, keys.SCHEDULER_NAME))
    except NotFound:
        return f"the Lease {keys.SYSTEM_NAMESPACE}/{keys.SCHEDULER_NAME} of its scheduler"
    return None


async def list_nodes(api: ApiClient) -> list[DemoNode]:
    """The cluster's schedulable nodes. A type that the price table does not list costs nothing in the accounting.

    Raises:
        DemoError: there is none.
    """
    items, _ = await api.list(NODES.path())
    nodes = [_node(item) for item in items if not item["spec"].get("unschedulable")]
    if not nodes:
        raise DemoError("the cluster has no schedulable node; add some, or use --kwok-nodes where KWOK runs")
    return nodes


def _node(item: dict[str, Any]) -> DemoNode:
    labels = item["metadata"].get("labels", {})
    allocatable = item["status"]["allocatable"]
    instance_type = labels.get(keys.INSTANCE_TYPE, "unknown")
    return DemoNode(
        name=item["metadata"]["name"],
        instance_type=instance_type,
        zone=labels.get(keys.ZONE, ""),
        cpu_millicores=parse_amount("cpu", allocatable["cpu"]),
        memory_bytes=parse_amount("memory", allocatable["memory"]),
        price_micro_usd_per_hour=price_of(instance_type) or 0,
    )


def _renamed(node: DemoNode, run: str) -> DemoNode:
    return DemoNode(
        f"{run}-{node.name}",
        node.instance_type,
        node.zone,
        node.cpu_millicores,
        node.memory_bytes,
        node.price_micro_usd_per_hour,
    )


async def _create_nodes(api: ApiClient, nodes: Sequence[DemoNode], run: str) -> None:
    """KWOK nodes with our label, and a taint that keeps everybody else's pods away."""
    for node in nodes:
        manifest = node_manifest(node.name, load_catalog()[node.instance_type], zone=node.zone)
        manifest["metadata"]["labels"][RUN_LABEL] = run
        manifest["spec"] = {"taints": [{"key": RUN_LABEL, "value": run, "effect": "NoSchedule"}]}
        await api.create(NODES.path(), manifest)
    for node in nodes:
        await _wait_ready(api, node.name)


async def _wait_ready(api: ApiClient, name: str) -> None:
    for _ in range(int(_GONE_SECONDS)):
        conditions = (await api.get(NODES.path(name=name)))["status"].get("conditions", [])
        if any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
            return
        await asyncio.sleep(1.0)
    raise DemoError(f"node {name} does not get Ready; does a KWOK controller run in this cluster?")


async def _remove(api: ApiClient, namespace: str, nodes: Sequence[str]) -> None:
    """Delete the namespace, wait until its pods are gone, delete our nodes."""
    with suppress(NotFound):
        await api.delete(NAMESPACES.path(name=namespace))
    for _ in range(int(_GONE_SECONDS)):
        pods, _version = await api.list(PODS.path(namespace))
        if not pods:
            break
        await asyncio.sleep(1.0)
    for name in nodes:
        with suppress(NotFound):
            await api.delete(NODES.path(name=name))


def _services(cluster: _Cluster, variant: Variant) -> dict[str, Any]:
    """Metrics pages through the API server's proxy, one per replica; none where that is not allowed."""
    if not variant.opts_in:
        return {}
    try:
        pods = _call(cluster, lambda api: api.list(PODS.path(keys.SYSTEM_NAMESPACE)))[0]
    except KubeError:
        return {}
    return {"webhook_pages": metrics_pages(pods, "webhook"), "extender_pages": metrics_pages(pods, "extender")}


def metrics_pages(pods: Sequence[dict[str, Any]], container: str) -> tuple[str, ...]:
    """Proxy paths of the metrics ports (named metrics) of all running containers of this name."""
    return tuple(
        f"{PODS.path(pod['metadata']['namespace'], pod['metadata']['name'])}:{port['containerPort']}/proxy/metrics"
        for pod in pods
        if pod["status"].get("phase") == "Running"
        for spec in pod["spec"]["containers"]
        if spec["name"] == container
        for port in spec.get("ports", [])
        if "metrics" in port.get("name", "")
    )
