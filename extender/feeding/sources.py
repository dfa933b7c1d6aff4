"""What the extender polls: measured load of nodes, and least numbers of PodGroups. Both are optional APIs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import cycle, islice
from typing import Any, Final

import msgspec

from extender.cluster.cache import Cache
from extender.cluster.node_load import LoadWindows, Sample
from extender.feeding.feed import Forward
from extender.feeding.polling import Source
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import KubeError
from stowplan.kube.paths import NODES, Resource
from stowplan.model.quantity import parse_cpu

NODE_METRICS: Final = Resource("metrics.k8s.io", "v1beta1", "nodes", namespaced=False)
POD_GROUPS: Final = Resource("scheduling.x-k8s.io", "v1alpha1", "podgroups")
_PRESSURE_NODES: Final = 20
"""Nodes asked for their pressure in one reading, in turn: each is a call through the API server to a kubelet."""
_MILLI: Final = 1000


class _Usage(msgspec.Struct, frozen=True):
    cpu: str = "0"


class _Named(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _NodeMetrics(msgspec.Struct):
    metadata: _Named
    usage: _Usage


class _NodeMetricsList(msgspec.Struct):
    items: list[_NodeMetrics] = []


class _Average(msgspec.Struct, frozen=True):
    avg300: float = 0.0


class _Pressure(msgspec.Struct, frozen=True):
    some: _Average = _Average()


class _Cpu(msgspec.Struct, frozen=True):
    psi: _Pressure | None = None


class _NodeStats(msgspec.Struct):
    cpu: _Cpu = _Cpu()


class _Summary(msgspec.Struct):
    node: _NodeStats


_METRICS: Final = msgspec.json.Decoder(_NodeMetricsList)
_SUMMARY: Final = msgspec.json.Decoder(_Summary)


def parse_node_metrics(body: bytes) -> dict[str, int]:
    """Node name -> millicores in use, of a NodeMetricsList. Raises ValueError (msgspec's and the quantities' are such)."""
    return {item.metadata.name: parse_cpu(item.usage.cpu) for item in _METRICS.decode(body).items}


def parse_cpu_pressure(body: bytes) -> int | None:
    """Share of the last five minutes in which some task waited for CPU, in permille, of a kubelet's summary; None where it has none.

    The kernel's pressure stall information (`cpu.psi.some.avg300`, percent), exported where the feature gate KubeletPSI is on and the
    node uses cgroup v2.
    """
    pressure = _SUMMARY.decode(body).node.cpu.psi
    return None if pressure is None else round(pressure.some.avg300 * 10)


class NodeLoads:
    """Reads NodeMetrics, and pressure where it is asked for, into the cache.

    Args:
        api: an open client.
        cache: gets `loads`.
        forward: hands the event on to the planner's mirror.
        pressure: whether kubelets are asked for pressure (needs `nodes/proxy`).
    """

    def __init__(self, api: ApiClient, cache: Cache, forward: Forward, *, pressure: bool) -> None:
        self._api = api
        self._cache = cache
        self._forward = forward
        self._pressure = pressure
        self._windows = LoadWindows()
        self._waited: dict[str, int] = {}
        self._turn = 0

    @property
    def source(self) -> Source:
        """To be polled."""
        return Source("node-loads", self.read, self.lose)

    async def read(self) -> None:
        """One round of measurements."""
        used = parse_node_metrics(await self._api.get_bytes(NODE_METRICS.path()))
        if self._pressure:
            await self._read_pressure(sorted(used))
        nodes = self._cache.snapshot().nodes
        samples = {}
        for name, cpu in used.items():
            info = nodes.get(name)
            if info is not None:
                capacity = info.node.allocatable.get("cpu", 0)
                waited = self._waited.get(name, 0) * capacity // _MILLI
                samples[name] = Sample(cpu + waited, capacity, info.used.get("cpu", 0))
        self._publish(self._windows.add(samples))

    def lose(self) -> None:
        """Requests have to do."""
        self._windows.clear()
        self._waited.clear()
        self._publish({})

    def _publish(self, loads: Mapping[str, Any]) -> None:
        if self._cache.observe("loads", loads):
            self._forward("observe", "loads", loads)

    async def _read_pressure(self, names: list[str]) -> None:
        """The next few nodes in turn; a kubelet that does not answer has no pressure."""
        asked = list(islice(cycle(names), self._turn, self._turn + min(len(names), _PRESSURE_NODES)))
        self._turn = (self._turn + len(asked)) % max(1, len(names))
        found = await asyncio.gather(*(self._pressure_of(name) for name in asked))
        self._waited = {name: waited for name, waited in self._waited.items() if name in set(names)}
        self._waited.update(zip(asked, found, strict=True))

    async def _pressure_of(self, name: str) -> int:
        path = NODES.path(name=name, subresource="proxy") + "/stats/summary"
        try:
            return parse_cpu_pressure(await self._api.get_bytes(path, only_cpu_and_memory=True)) or 0
        except (KubeError, ValueError):
            return 0


def parse_pod_groups(items: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Namespace and name -> `spec.minMember`, of PodGroups (scheduler-plugins' coscheduling); groups of one are none."""
    found = {}
    for item in items:
        meta, least = item["metadata"], (item.get("spec") or {}).get("minMember", 0)
        if isinstance(least, int) and least > 1:
            found[meta.get("namespace", ""), meta.get("name", "")] = least
    return found


def pod_group_source(api: ApiClient, cache: Cache, forward: Forward) -> Source:
    """Reads PodGroups into the cache."""

    def publish(groups: Mapping[tuple[str, str], int]) -> None:
        if cache.observe("pod_groups", groups):
            forward("observe", "pod_groups", groups)

    async def read() -> None:
        items, _ = await api.list(POD_GROUPS.path())
        publish(parse_pod_groups(items))

    return Source("pod-groups", read, lambda: publish({}))
