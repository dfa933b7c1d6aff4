"""The cluster as moves need it, read once from the API server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from extender.cluster.cache import Cache
from extender.cluster.snapshot import Snapshot
from extender.moves.budgets import Budgets, parse_disruption_budget
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Forbidden, NotFound
from stowplan.kube.paths import NAMESPACES, NODES, POD_DISRUPTION_BUDGETS, PODS, WORKLOAD_CLASSES
from stowplan.kube.projection import SignatureInterner, project_namespace, project_node, project_pod
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import parse_workload_class
from stowplan.model.pod import Pod
from stowplan.model.workload_class import WorkloadClass

T = TypeVar("T")

_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What moves are decided on."""

    snapshot: Snapshot
    pods: tuple[Pod, ...]
    budgets: Budgets
    classes: Mapping[str, WorkloadClass]


async def read_cluster(api: ApiClient) -> ClusterView:
    """List nodes, unfinished pods, namespaces, budgets and classes.

    Raises:
        KubeError: a list failed. Without the CRD, or leave to read it, the built-in classes stand.
    """
    cache = Cache()
    interner = SignatureInterner()
    namespaces = await _listed(api, NAMESPACES.path(), project_namespace)
    cache.replace_namespaces({item.name: item.labels for item in namespaces})
    cache.replace_nodes(await _listed(api, NODES.path(), project_node))
    pods = await _listed(api, PODS.path(), lambda raw: project_pod(raw, interner), _UNFINISHED)
    cache.replace_pods(pods)
    budgets, _ = await api.list(POD_DISRUPTION_BUDGETS.path())
    return ClusterView(
        cache.snapshot(), tuple(pods), Budgets(map(parse_disruption_budget, budgets)), await _classes(api)
    )


async def _listed(
    api: ApiClient, path: str, project: Callable[[bytes], T], field_selector: str | None = None
) -> list[T]:
    items, _ = await api.list(path, fieldSelector=field_selector)
    return [project(msgspec.json.encode(item)) for item in items]


async def _classes(api: ApiClient) -> Mapping[str, WorkloadClass]:
    try:
        items, _ = await api.list(WORKLOAD_CLASSES.path())
    except (NotFound, Forbidden):
        return BUILTIN_CLASSES
    written: list[Any] = [parse_workload_class(item) for item in items]
    return {**BUILTIN_CLASSES, **{item.name: item for item in written}}
