"""The arms of `perf.throughput` in a kind cluster: the same nodes and pods, with scheduler and extender in a pod."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from perf.in_kind.own_nodes import add_nodes, keep_apart
from perf.in_kind.scheduler_pod import SchedulerPod
from perf.throughput.arms import Arm
from perf.throughput.burst import PLAN_SECONDS, Burst, Moments, Used, placed, remove_pods, watched
from perf.throughput.stage import create_pods
from perf.throughput.summary import Row, row
from perf.throughput.workload import NAMESPACE, RESIDENTS, Cluster, Manifest, cluster, pods
from sandbox.kind.cluster import KindCluster
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection

Progress = Callable[[str, int, int], None]
_SEED: Final = 1


def measure(
    kind: KindCluster, sizes: Sequence[int], count: int, rounds: int, arms: Sequence[Arm], progress: Progress
) -> Iterator[tuple[int, list[Row]]]:
    """One row for each arm and round, size by size; sizes ascend, as nodes are only added.

    Args:
        kind: with stowplan installed.
        sizes: numbers of nodes.
        count: pods of a burst; on few nodes fewer, because no more fit.
        rounds: of every size.
        arms: in each round in an order of their own.
        progress: takes a sentence, how much is done, and of how much.
    """
    connection = Connection.from_kubeconfig(kind.kubeconfig)
    keep_apart(kind)
    for name in (NAMESPACE, RESIDENTS):
        kind.kubectl("create", "namespace", name)
    scheduler, chance, there = SchedulerPod(kind), random.Random(_SEED), 0  # noqa: S311 - an order, not a secret
    steps = len(sizes) * rounds * len(arms)
    done = 0
    for nodes in sizes:
        made = cluster(nodes, _SEED)
        progress(f"adding nodes up to {nodes}", done, steps)
        asyncio.run(_grow(connection, made, there))
        there, rows = nodes, []
        for number in range(rounds):
            for arm in chance.sample(arms, len(arms)):
                progress(f"{nodes} nodes, round {number}, {arm.name}", done, steps)
                few = min(count, 2 * nodes)
                manifests = pods(few, _SEED + number, f"r{number}-{arm.name}")
                burst = asyncio.run(_burst(connection, scheduler, arm, manifests))
                rows.append(row(arm, number, made, few, burst))
                done += 1
        yield nodes, rows


async def _grow(connection: Connection, made: Cluster, there: int) -> None:
    """Add what is not there yet: a larger cluster of one seed begins with the smaller one."""
    new = made.nodes[there:]
    names = {node["metadata"]["name"] for node in new}
    await add_nodes(connection, new)
    async with ApiClient(connection) as api:
        await create_pods(api, RESIDENTS, [pod for pod in made.residents if pod["spec"]["nodeName"] in names])


async def _burst(connection: Connection, scheduler: SchedulerPod, arm: Arm, manifests: Sequence[Manifest]) -> Burst:
    """The pods wait, the extender has planned, the scheduler begins. What processes use is not seen from outside of the node."""
    moments = Moments()
    async with ApiClient(connection) as api, watched(api, moments):
        with scheduler.of(arm):
            await create_pods(api, NAMESPACE, manifests)
            await asyncio.sleep(PLAN_SECONDS)
            await asyncio.to_thread(scheduler.let_go)
            await placed(moments, len(manifests))
        await remove_pods(api)
    return Burst(moments, Used({}, {}))
