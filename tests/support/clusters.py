"""Builders and Hypothesis strategies for clusters: nodes, signatures, snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from extender.cluster.node_load import NodeLoad
from extender.cluster.snapshot import NodeInfo, Snapshot
from stowplan.model.keys import HOSTNAME, SCHEDULER_NAME, ZONE
from stowplan.model.node import Node
from stowplan.model.pod import (
    Gang,
    HostPort,
    PodAffinityTerm,
    PodSignature,
    PreferredNodes,
    ReplicaLimit,
    SpreadConstraint,
)
from stowplan.model.selectors import Expression, LabelSelector, NodeSelectorTerm, Taint, Toleration

MIB = 2**20
GIB = 2**30
GPU = "nvidia.com/gpu"
SHARE = "aliyun.com/gpu-mem"
NAMESPACES: Mapping[str, Mapping[str, str]] = {"shop": {"team": "a"}, "pay": {"team": "b"}}


def make_node(name: str, *, cpu: int = 4000, memory: int = 16 * GIB, price: int = 100_000, **changes: Any) -> Node:
    """A ready node with 110 pod slots; `labels`, `extra` (resources), `taints`, `pods`, `zone` and fields of Node may be given."""
    zone = changes.pop("zone", "")
    labels = {HOSTNAME: name} | ({ZONE: zone} if zone else {}) | dict(changes.pop("labels", {}))
    allocatable = {"cpu": cpu, "memory": memory, "pods": changes.pop("pods", 110)}
    allocatable |= changes.pop("extra", {})
    return Node(name, allocatable, labels, price_micro_usd_per_hour=price, zone=zone, **changes)


def make_signature(app: str = "web", *, cpu: int = 1000, memory: int = GIB, **changes: Any) -> PodSignature:
    """A signature of our scheduler with label `app`; `extra` adds resources, all fields of PodSignature may be given."""
    requests = {"cpu": cpu, "memory": memory, "pods": 1} | dict(changes.pop("extra", {}))
    fields: dict[str, Any] = {
        "namespace": "shop",
        "labels": (("app", app),),
        "requests": tuple(sorted(requests.items())),
        "owner_key": f"ReplicaSet/{app}",
        "scheduler_name": SCHEDULER_NAME,
    }
    return PodSignature(**(fields | changes))


def make_info(node: Node, residents: Mapping[PodSignature, int] | None = None) -> NodeInfo:
    """A node with residents and their summed requests."""
    used: dict[str, int] = {}
    for signature, count in (residents or {}).items():
        for name, amount in signature.requests:
            used[name] = used.get(name, 0) + count * amount
    return NodeInfo(node, used, dict(residents or {}))


def make_snapshot(nodes: list[NodeInfo | Node], pending: Mapping[PodSignature, int], generation: int = 1) -> Snapshot:
    """A snapshot of nodes (bare ones are empty) and waiting pods."""
    infos = [node if isinstance(node, NodeInfo) else make_info(node) for node in nodes]
    return Snapshot(generation, {info.node.name: info for info in infos}, dict(pending), NAMESPACES)


def app_selector(app: str) -> LabelSelector:
    """`matchLabels: {app: ...}`."""
    return LabelSelector((Expression("app", "In", (app,)),))


def term(app: str, key: str = HOSTNAME, namespace: str = "shop") -> PodAffinityTerm:
    """A required (anti-)affinity term on pods of an app."""
    return PodAffinityTerm(app_selector(app), key, (namespace,))


def spread(app: str, key: str = ZONE, *, skew: int = 1, hard: bool = True, min_domains: int = 1) -> SpreadConstraint:
    """A topology spread constraint on pods of an app."""
    return SpreadConstraint(key, skew, hard, app_selector(app), min_domains)


APPS = ("web", "api", "db")
_SHAPES = ((2000, 8 * GIB, 96_000), (4000, 16 * GIB, 192_000), (4000, 8 * GIB, 170_000), (8000, 64 * GIB, 500_000))
_TAINTS = (
    Taint("dedicated", "gpu", "NoSchedule"),
    Taint("spot", "true", "NoExecute"),
    Taint("soft", "", "PreferNoSchedule"),
)
_TOLERATIONS = (Toleration("dedicated", "Equal", "gpu", "NoSchedule"), Toleration("spot", "Exists", "", ""))


@dataclass(frozen=True, slots=True)
class Freedom:
    """What generated pods and nodes may carry beyond resources, selectors and taints."""

    spread: bool = True
    affinity: bool = True
    limits: bool = True
    """Limits of replicas, and the class that has them."""
    gangs: bool = True


_NODE_GPUS = st.sampled_from([{}, {}, {}, {GPU: 2}, {SHARE: 32, "aliyun.com/gpu-count": 2}, {SHARE: 16}])
_POD_GPUS = st.sampled_from([{}, {}, {}, {}, {}, {}, {GPU: 1}, {SHARE: 6}, {SHARE: 9}])


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    """A node: zone, pool, taints, GPUs, a few pod slots; sometimes cordoned or not ready."""
    cpu, memory, price = draw(st.sampled_from(_SHAPES))
    labels = {"pool": draw(st.sampled_from(["a", "b"]))}
    zone = draw(st.sampled_from(["", "z1", "z1", "z2", "z3"]))
    return make_node(
        name,
        cpu=cpu,
        memory=memory,
        price=price,
        zone=zone,
        labels=labels,
        pods=draw(st.sampled_from([3, 110])),
        extra=draw(_NODE_GPUS),
        taints=tuple(draw(st.lists(st.sampled_from(_TAINTS), max_size=1))),
        unschedulable=draw(st.integers(0, 9)) == 0,
        ready=draw(st.integers(0, 9)) > 0,
        capacity_type=draw(st.sampled_from(["on-demand", "on-demand", "spot"])),
        instance_type=draw(st.sampled_from(["m5.large", "c5.large"])),
        images=draw(st.sampled_from([(), (("app:1", 200 * MIB),), (("lib:2", 2 * GIB), ("other:3", MIB))])),
    )


def _terms() -> st.SearchStrategy[PodAffinityTerm]:
    own = st.builds(term, st.sampled_from(APPS), st.sampled_from([ZONE, HOSTNAME]), st.sampled_from(["shop", "pay"]))
    team = LabelSelector((Expression("team", "In", ("b",)),))
    chosen = st.builds(
        PodAffinityTerm, st.sampled_from(APPS).map(app_selector), st.just(ZONE), st.just(()), st.just(team)
    )
    return st.one_of(own, own, chosen)


def _preferred() -> st.SearchStrategy[PodAffinityTerm]:
    weights = st.sampled_from([1, 50, 100, -1, -100])
    return st.builds(lambda term, weight: replace(term, weight=weight), _terms(), weights)


_SOME_TERMS = st.lists(_terms(), max_size=2)
_SOME_PREFERRED = st.lists(_preferred(), max_size=2)
_LIMITS = st.one_of(
    st.builds(ReplicaLimit, count=st.integers(1, 3)), st.builds(ReplicaLimit, percent=st.sampled_from([20, 50, 100]))
)


_GROUPS = st.sampled_from(["g1", "g2"])
_GANGS = st.one_of(
    st.builds(Gang, _GROUPS, st.sampled_from([0, 2, 4])), st.builds(Gang, _GROUPS, st.just(0), st.just(value=True))
)


def _spreads(app: str) -> st.SearchStrategy[SpreadConstraint]:
    own = app_selector(app)
    selectors = st.sampled_from([own, own, own, app_selector(APPS[0]), None, LabelSelector()])
    return st.builds(
        SpreadConstraint,
        topology_key=st.sampled_from([ZONE, ZONE, HOSTNAME]),
        max_skew=st.sampled_from([1, 1, 2]),
        hard=st.sampled_from([True, True, False]),
        selector=selectors,
        min_domains=st.sampled_from([1, 1, 3]),
        honor_node_affinity=st.booleans(),
        honor_taints=st.booleans(),
    )


@st.composite
def signatures(draw: st.DrawFn, freedom: Freedom) -> PodSignature:
    """A signature with some of everything that the planner models."""
    rare = st.integers(0, 3).map(lambda n: n == 0)
    app = draw(st.sampled_from(APPS))
    some = draw(st.integers(0, 9))
    spreads = st.lists(_spreads(app), min_size=1, max_size=2)
    pool = Expression("pool", "In", (draw(st.sampled_from(["a", "b"])),))
    return make_signature(
        app,
        cpu=draw(st.sampled_from([0, 250, 700, 1500])),
        memory=draw(st.sampled_from([0, 300 * 10**6, GIB, 5 * GIB])),
        extra=draw(_POD_GPUS),
        namespace=draw(st.sampled_from(["shop", "shop", "pay"])),
        priority=draw(st.sampled_from([0, 0, 100])),
        workload_class=draw(st.sampled_from(["", "standard", "critical" if freedom.limits else "elastic", "batch"])),
        node_selector=(pool,) if draw(rare) else (),
        required_nodes=(NodeSelectorTerm((Expression(ZONE, "In", ("z1", "z2")),)),) if draw(rare) else None,
        preferred_nodes=(PreferredNodes(NodeSelectorTerm((pool,)), 50),) if draw(rare) else (),
        tolerations=tuple(draw(st.lists(st.sampled_from(_TOLERATIONS), max_size=1))),
        host_ports=(HostPort("0.0.0.0", "TCP", draw(st.sampled_from([80, 443]))),) if some == 0 else (),
        spread=tuple(draw(spreads)) if freedom.spread and draw(rare) else (),
        affinity=tuple(draw(_SOME_TERMS)) if freedom.affinity and draw(rare) else (),
        anti_affinity=tuple(draw(_SOME_TERMS)) if freedom.affinity and draw(rare) else (),
        preferred_affinity=tuple(draw(_SOME_PREFERRED)) if freedom.affinity and draw(rare) else (),
        images=tuple(draw(st.lists(st.sampled_from(["app:1", "lib:2"]), max_size=2, unique=True))),
        talks_to=((("shop", draw(st.sampled_from(APPS))),) if draw(rare) else ()),
        gang=draw(_GANGS) if freedom.gangs and draw(rare) else None,
        per_node=draw(_LIMITS) if freedom.limits and draw(rare) else None,
        per_spot_pool=draw(_LIMITS) if freedom.limits and draw(rare) else None,
    )


_LOADS = st.dictionaries(
    st.sampled_from(["n0", "n1", "n3"]),
    st.builds(NodeLoad, st.sampled_from([0, 300, 850, 1200]), st.sampled_from([0, 2000])),
    max_size=2,
)


@st.composite
def snapshots(draw: st.DrawFn, freedom: Freedom = Freedom(), most_nodes: int = 6, most_items: int = 5) -> Snapshot:
    """A small cluster with residents and waiting pods. Residents may overcommit a node: real ones sometimes do."""
    count = draw(st.sampled_from([0, 2, *range(3, most_nodes + 1)]))
    infos = []
    for index in range(count):
        node = draw(nodes(f"n{index}"))
        residents = draw(st.dictionaries(signatures(freedom), st.integers(1, 2), max_size=2)) if index % 2 else {}
        infos.append(make_info(node, residents))
    pending = draw(st.dictionaries(signatures(freedom), st.integers(1, 6), min_size=2, max_size=most_items))
    least = {("shop", "g1"): 3, ("pay", "g1"): 1} if freedom.gangs else {}
    loads = draw(_LOADS)
    return replace(make_snapshot(list(infos), pending), pod_groups=least, loads=loads)
