"""What is scheduled: a seeded cluster of mostly full nodes, and pods that wait or come in a burst."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from sandbox.nodes import ZONES, node_manifest
from stowplan.catalog import load_catalog
from stowplan.model.keys import GATE, SCHEDULER_NAME

Manifest = dict[str, Any]

NAMESPACE: Final = "throughput"
RESIDENTS: Final = "residents"
RUN_LABEL: Final = "stowplan.dev/throughput"
_TYPES: Final = ("m5.large", "m5.2xlarge", "c5.xlarge", "c5.4xlarge", "r5.xlarge")
_SHAPES: Final = ((250, 512), (500, 2048), (1000, 1792), (1000, 4096), (2000, 3584))
"""Pods: millicores and MiB."""
_OPEN_PERCENT: Final = 60
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes, what stands on them, and what an hour of each costs."""

    nodes: list[Manifest]
    residents: list[Manifest]
    """Pods that are created with their node's name: one for each node that is in use."""
    prices: dict[str, int]
    """Node name -> micro-dollars an hour."""

    @property
    def in_use(self) -> frozenset[str]:
        """Names of the nodes that are paid for before anything is scheduled."""
        return frozenset(pod["spec"]["nodeName"] for pod in self.residents)


def cluster(count: int, seed: int) -> Cluster:
    """Three of five nodes are in use and 70 to 95 percent full, the others empty; EC2 shapes and prices mixed."""
    chance = random.Random(seed)  # noqa: S311 - a seeded instance, not a secret
    catalog = load_catalog()
    nodes, residents, prices = [], [], {}
    for index in range(count):
        kind = catalog[chance.choice(_TYPES)]
        name = f"node-{index:05d}"
        nodes.append(node_manifest(name, kind, zone=ZONES[index % len(ZONES)]))
        prices[name] = kind.price_micro_usd_per_hour
        if chance.randrange(100) < _OPEN_PERCENT:
            percent = chance.randint(70, 95)
            cpu = kind.allocatable_cpu_millicores * percent // 100
            memory = kind.allocatable_memory_bytes * percent // 100 // _MIB
            resident = pod_manifest(f"resident-{index:05d}", "resident", cpu, memory)
            resident["spec"]["nodeName"] = name
            residents.append(resident)
    return Cluster(nodes, residents, prices)


def pods(count: int, seed: int, run: str, *, gated: bool = False) -> list[Manifest]:
    """Pods of groups of up to 40 that look alike, in shuffled order; the same for every arm of a round but for their names.

    Args:
        count: how many.
        seed: of shapes, groups and order.
        run: value of the run label and part of every name.
        gated: whether they are created behind the scheduling gate, as the webhook writes it.
    """
    chance = random.Random(seed)  # noqa: S311 - a seeded instance, not a secret
    made: list[Manifest] = []
    while len(made) < count:
        size = min(count - len(made), chance.randint(1, 40))
        cpu, memory = chance.choice(_SHAPES)
        app = f"app-{len(made)}"
        made += [pod_manifest(f"{run}-{len(made) + n:05d}", app, cpu, memory, run) for n in range(size)]
    chance.shuffle(made)
    for manifest in made if gated else ():
        manifest["spec"]["schedulingGates"] = [{"name": GATE}]
    return made


def pod_manifest(name: str, app: str, cpu: int, mebibytes: int, run: str = "") -> Manifest:
    """A bare pod for `stowplan-scheduler`: no owner, so that no controller takes part in what is measured."""
    requests = {"cpu": f"{cpu}m", "memory": f"{mebibytes}Mi"}
    labels = {"app": app, "stowplan.dev/class": "standard", **({RUN_LABEL: run} if run else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "schedulerName": SCHEDULER_NAME,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": requests}}],
        },
    }
