"""The traces: what is in `data/`, as input of the simulator."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from extender.binpacking.prices import worth
from simulator.trace import GPU_SCALE, NodeRow, PodRow, PodShape, Trace
from simulator.window import Window
from stowplan.catalog import load_catalog

_MIB = 2**20
_PODS_PER_NODE = 1000
"""openb says nothing about it; the published evaluation has no such limit that binds."""
AZURE_WINDOW = Window(86_400, 299_700)
"""The first day warms up; the last arrival ends the measurement."""


def openb_nodes() -> tuple[NodeRow, ...]:
    """The 1,213 GPU nodes, priced at unit prices: the trace has none."""
    return tuple(
        NodeRow(
            row["sn"],
            int(row["cpu_milli"]),
            int(row["memory_mib"]) * _MIB,
            int(row["gpu"]),
            row["model"],
            price_micro_usd_per_hour=worth("cpu", int(row["cpu_milli"]))
            + worth("memory", int(row["memory_mib"]) * _MIB)
            + worth("nvidia.com/gpu", int(row["gpu"])),
            max_pods=_PODS_PER_NODE,
        )
        for row in _rows("openb_nodes.csv")
    )


@cache
def openb_shapes() -> tuple[PodShape, ...]:
    """The 8,152 tasks of the default list."""
    return tuple(
        PodShape(
            int(row["cpu_milli"]),
            int(row["memory_mib"]) * _MIB,
            gpus := int(row["num_gpu"]),
            (int(row["gpu_milli"]) if gpus == 1 else GPU_SCALE) if gpus else 0,
            tuple(sorted(filter(None, row["gpu_spec"].split("|")))),
        )
        for row in _rows("openb_pods_default.csv.gz")
    )


def openb_trace(seed: int, arrived: float) -> Trace:
    """The published protocol: the list, filled up at random to 130 % of the GPUs, shuffled; cut when a share of them has been asked for."""
    nodes = openb_nodes()
    total = sum(node.gpu_count for node in nodes) * GPU_SCALE
    chance = random.Random(seed)  # noqa: S311 - a seeded order, not a secret
    shapes = list(openb_shapes())
    asked = sum(shape.gpu_total for shape in shapes)
    while asked < 1.3 * total:
        shapes.append(chance.choice(openb_shapes()))
        asked += shapes[-1].gpu_total
    chance.shuffle(shapes)
    pods: list[PodRow] = []
    asked = 0
    for index, shape in enumerate(shapes):
        if asked >= arrived * total:
            break
        asked += shape.gpu_total
        pods.append(PodRow(index, f"pod-{index}", shape))
    return Trace(nodes, tuple(pods))


def ec2_type(name: str, *, nominal: bool = False) -> NodeRow:
    """An EC2 type: what it leaves for pods, or (`nominal`) its whole size."""
    kind = load_catalog()[name]
    return NodeRow(
        name,
        kind.cpu_millicores if nominal else kind.allocatable_cpu_millicores,
        kind.memory_bytes if nominal else kind.allocatable_memory_bytes,
        price_micro_usd_per_hour=kind.price_micro_usd_per_hour,
        max_pods=kind.max_pods,
    )


def azure_pods(fold: int, memory: tuple[float, ...] = (1.0,)) -> tuple[PodRow, ...]:
    """One sample of the arrivals. With several factors, each batch's memory is multiplied by one of them, by its number."""
    pods: list[PodRow] = []
    for row in _rows("azure_arrivals.csv.gz"):
        if int(row["fold"]) != fold:
            continue
        arrival, batch = int(row["arrival_s"]), int(row["batch"])
        factor = memory[batch % len(memory)]
        departure = arrival + int(row["lifetime_s"]) if row["lifetime_s"] else None
        shape = PodShape(int(row["cores"]) * 1000, int(int(row["memory_mib"]) * factor) * _MIB)
        pods.append(
            PodRow(len(pods), f"vm-{len(pods)}", shape, f"batch-{batch}", arrival_s=arrival, departure_s=departure)
        )
    return tuple(pods)


def _rows(name: str) -> Iterator[Mapping[str, str]]:
    content = resources.files("perf.simulation").joinpath("data", name).read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    return csv.DictReader(text.splitlines())
