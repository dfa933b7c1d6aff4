"""Kube-scheduler's Filter plugins once more, deliberately naive: lists of single pods, no counters, no caches, no code of the bin-packer.

Written from the Kubernetes documentation and the plugins' behaviour: NodeUnschedulable, TaintToleration, NodeAffinity, NodePorts,
NodeResourcesFit, InterPodAffinity, PodTopologySpread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from extender.cluster.snapshot import Snapshot
from stowplan.model.node import Node
from stowplan.model.pod import PodAffinityTerm, PodSignature, ReplicaLimit, SpreadConstraint


@dataclass
class NaiveCluster:
    """Nodes and every single pod on them."""

    nodes: dict[str, Node]
    namespaces: Mapping[str, Mapping[str, str]]
    pods: list[tuple[PodSignature, str]] = field(default_factory=list)
    replicas: list[PodSignature] = field(default_factory=list)
    """Every pod that stands or waits in the snapshot, as limits in percent count them."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> NaiveCluster:
        """The cluster of a snapshot."""
        waiting = [s for s, count in snapshot.pending.items() for _ in range(count) if not s.unplannable]
        nodes = {name: info.node for name, info in snapshot.nodes.items()}
        pods = [
            (signature, name)
            for name, info in snapshot.nodes.items()
            for signature, count in info.residents.items()
            for _ in range(count)
        ]
        replicas = [signature for signature, _ in pods] + waiting
        return cls(nodes, snapshot.namespaces, pods, replicas)

    def refusals(self, pod: PodSignature, name: str) -> list[str]:
        """Names of the filters that refuse one more such pod on a node."""
        node = self.nodes[name]
        answers = {
            "NodeUnschedulable": not node.unschedulable,
            "NodeReady": node.ready,
            "TaintToleration": tolerates(pod, node),
            "NodeAffinity": wants(pod, node),
            "NodePorts": self._ports(pod, name),
            "NodeResourcesFit": self._fits(pod, name),
            "InterPodAffinity": self._affinity(pod, node),
            "PodTopologySpread": all(self._spread(pod, c, node) for c in pod.spread if c.hard),
            "ReplicaLimit": self._limit(pod, node),
            "DeviceShare": self._device(pod, node),
        }
        return [plugin for plugin, passes in answers.items() if not passes]

    def _ports(self, pod: PodSignature, name: str) -> bool:
        for other, where in self.pods:
            for theirs in other.host_ports:
                for ours in pod.host_ports:
                    same = ours.port == theirs.port and ours.protocol == theirs.protocol and where == name
                    if same and (ours.address == theirs.address or "0.0.0.0" in (ours.address, theirs.address)):
                        return False
        return True

    def _fits(self, pod: PodSignature, name: str) -> bool:
        for resource, asked in pod.requests:
            used = sum(dict(other.requests).get(resource, 0) for other, where in self.pods if where == name)
            if asked > 0 and used + asked > self.nodes[name].allocatable.get(resource, 0):
                return False
        return True

    def _speaks_of(self, term: PodAffinityTerm, pod: PodSignature) -> bool:
        named = pod.namespace in term.namespaces
        if term.namespace_selector is not None and term.namespace_selector.matches(
            self.namespaces.get(pod.namespace, {})
        ):
            named = True
        return named and term.selector is not None and term.selector.matches(dict(pod.labels))

    def _together(self, key: str, left: Node, right: str) -> bool:
        labels = self.nodes[right].labels
        return key in left.labels and key in labels and left.labels[key] == labels[key]

    def _affinity(self, pod: PodSignature, node: Node) -> bool:
        for other, where in self.pods:
            if any(
                self._speaks_of(t, pod) and self._together(t.topology_key, node, where) for t in other.anti_affinity
            ):
                return False
            if any(
                self._speaks_of(t, other) and self._together(t.topology_key, node, where) for t in pod.anti_affinity
            ):
                return False
        if not pod.affinity:
            return True
        if any(t.topology_key not in node.labels for t in pod.affinity):
            return False
        friends = [where for other, where in self.pods if all(self._speaks_of(t, other) for t in pod.affinity)]
        if all(any(self._together(t.topology_key, node, where) for where in friends) for t in pod.affinity):
            return True
        nobody = not any(t.topology_key in self.nodes[where].labels for t in pod.affinity for where in friends)
        return nobody and all(self._speaks_of(t, pod) for t in pod.affinity)

    def _spread(self, pod: PodSignature, constraint: SpreadConstraint, node: Node) -> bool:
        key = constraint.topology_key
        if key not in node.labels:
            return False
        counted = [n for n in self.nodes.values() if counts(pod, constraint, n)]
        domains = {n.labels[key]: 0 for n in counted}
        selector = constraint.selector
        for other, where in self.pods:
            matches = selector is not None and len(selector.expressions) > 0 and selector.matches(dict(other.labels))
            if matches and other.namespace == pod.namespace and any(n.name == where for n in counted):
                domains[self.nodes[where].labels[key]] += 1
        smallest = 0 if len(domains) < constraint.min_domains else min(domains.values())
        itself = 1 if selector is not None and selector.matches(dict(pod.labels)) else 0
        return domains.get(node.labels[key], 0) + itself - smallest <= constraint.max_skew

    def _device(self, pod: PodSignature, node: Node) -> bool:
        """Not a filter of kube-scheduler: shares of GPU memory divide among a node's devices, packed as gpushare binds them."""
        asked = dict(pod.requests).get("aliyun.com/gpu-mem", 0)
        if not asked:
            return True
        devices = node.allocatable.get("aliyun.com/gpu-count", 0)
        if not devices:
            return False
        left = [node.allocatable["aliyun.com/gpu-mem"] // devices for _ in range(devices)]
        shares = [dict(s.requests).get("aliyun.com/gpu-mem", 0) for s, where in self.pods if where == node.name]
        for share in sorted([*shares, asked], reverse=True):
            left.sort()
            fitting = [number for number in range(devices) if left[number] >= share]
            if not fitting:
                return False
            left[fitting[0]] -= share
        return True

    def _limit(self, pod: PodSignature, node: Node) -> bool:
        """Not a filter of kube-scheduler: what stowplan adds for pods that ask for it, or whose class is `critical`."""
        if not pod.owner_key:
            return True
        third = ReplicaLimit(percent=34) if pod.workload_class == "critical" else None  # hostSkewDivisor 3
        mine = [s for s in self.replicas if workload(s) == workload(pod)]
        there = [self.nodes[where] for s, where in self.pods if workload(s) == workload(pod)]
        on_node = [n for n in there if n.name == node.name]
        limit = pod.per_node or third
        if limit and len(on_node) >= (limit.count or max(1, len(mine) * limit.percent // 100)):
            return False
        if node.capacity_type != "spot":
            return True
        in_pool = [
            n for n in there if (n.capacity_type, n.zone, n.instance_type) == ("spot", node.zone, node.instance_type)
        ]
        limit = pod.per_spot_pool or third
        return not limit or len(in_pool) < (limit.count or max(1, len(mine) * limit.percent // 100))


def workload(pod: PodSignature) -> tuple[str, str]:
    """Namespace and name of the workload behind a pod; generated pods carry no template hash."""
    return pod.namespace, pod.owner_key.split("/", 1)[-1]


def tolerates(pod: PodSignature, node: Node) -> bool:
    """TaintToleration: every NoSchedule and NoExecute taint is tolerated."""
    hard = [taint for taint in node.taints if taint.effect != "PreferNoSchedule"]
    return all(any(toleration.tolerates(taint) for toleration in pod.tolerations) for taint in hard)


def wants(pod: PodSignature, node: Node) -> bool:
    """NodeAffinity: the node selector, and any required term."""
    if not all(e.matches(node.labels) for e in pod.node_selector):
        return False
    return pod.required_nodes is None or any(t.matches(node.labels, node.name) for t in pod.required_nodes)


def counts(pod: PodSignature, constraint: SpreadConstraint, node: Node) -> bool:
    """Whether PodTopologySpread counts a node for a constraint of a pod."""
    if any(c.hard and c.topology_key not in node.labels for c in pod.spread):
        return False
    if constraint.honor_node_affinity and not wants(pod, node):
        return False
    return not constraint.honor_taints or tolerates(pod, node)


def replay(
    snapshot: Snapshot, slots: Mapping[PodSignature, Mapping[str, int]]
) -> list[tuple[PodSignature, str, list[str]]]:
    """Slots that no order found by repeated passes admits, with the filters that refuse them; empty where the plan is sound."""
    cluster = NaiveCluster.of(snapshot)
    waiting = [(s, name) for s, nodes in slots.items() for name, count in nodes.items() for _ in range(count)]
    while True:
        refused: list[tuple[PodSignature, str, list[str]]] = []
        for pod, name in waiting:
            why = cluster.refusals(pod, name)
            if why:
                refused.append((pod, name, why))
            else:
                cluster.pods.append((pod, name))
        if not refused or len(refused) == len(waiting):
            return refused
        waiting = [(pod, name) for pod, name, _ in refused]


def broken_gangs(snapshot: Snapshot, slots: Mapping[PodSignature, Mapping[str, int]]) -> set[tuple[str, str]]:
    """Groups of which the slots place some pods, but too few with those that stand. Groups without a least number are none."""
    standing = [s for info in snapshot.nodes.values() for s, count in info.residents.items() for _ in range(count)]
    waiting = [s for s, count in snapshot.pending.items() for _ in range(count) if not s.unplannable]
    placed = [s for s, nodes in slots.items() for count in nodes.values() for _ in range(count)]
    broken = set()
    for key in {(s.namespace, s.gang.name) for s in placed if s.gang}:

        def members(pods: list[PodSignature], key: tuple[str, str] = key) -> list[PodSignature]:
            return [s for s in pods if s.gang and (s.namespace, s.gang.name) == key]

        wanted = 0
        for gang in [s.gang for s in members(waiting)]:
            everybody = len(members(standing)) + len(members(waiting))
            wanted = max(wanted, everybody if gang and gang.whole else 0, gang.least if gang else 0)
            if gang and not gang.whole and not gang.least:
                wanted = max(wanted, snapshot.pod_groups.get(key, 0))
        if len(members(standing)) + len(members(placed)) < wanted:
            broken.add(key)
    return broken
