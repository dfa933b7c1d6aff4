"""The arms of `perf.throughput` in a kind cluster: the same nodes and pods, with scheduler and extender in a pod."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from perf.in_kind.own_nodes import add_nodes, keep_apart
from perf.in_kind.scheduler_pod import SchedulerPod
from perf.throughput.arms import Arm, Load
from perf.throughput.burst import PLAN_SECONDS, START_SECONDS, Burst, Moments, Used, placed, remove_pods, watched
from perf.throughput.stage import create_pods
from perf.throughput.summary import Row, row
from perf.throughput.workload import NAMESPACE, RESIDENTS, Cluster, Manifest, cluster, pods
from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from sandbox.manifests import manifests_dir
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import KubeError

Plan = Mapping[int, Sequence[Load]]
"""By number of nodes, ascending: nodes are only added."""
Progress = Callable[[str, int, int], None]
_SEED: Final = 1
_GATES: Final = ("rbac.yaml", "policy.yaml")
"""Of the component that lets an extender take its gate away; its flag is the arm's own."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All arms in the rounds so far on one size, under one load."""

    nodes: int
    pods: int
    backlog: bool
    """Whether the pods waited when the scheduler began, or came while it ran."""
    rows: list[Row]


def measure(kind: KindCluster, plan: Plan, progress: Progress) -> Iterator[Measured]:
    """Size by size and load by load, as in the plan; after each round what there is of its load so far.

    Args:
        kind: with stowplan installed.
        plan: what to measure.
        progress: takes a sentence, how much is done, and of how much.
    """
    connection = Connection.from_kubeconfig(kind.kubeconfig)
    keep_apart(kind)
    for name in (NAMESPACE, RESIDENTS):
        kind.kubectl("create", "namespace", name)
    for name in _GATES:
        kind.kubectl("apply", "-f", str(manifests_dir() / "components" / "scheduling-gates" / name))
    steps = sum(load.bursts for loads in plan.values() for load in loads)
    stage = _Stage(connection, SchedulerPod(kind), random.Random(_SEED), steps, progress)  # noqa: S311 - an order, not a secret
    for nodes, loads in plan.items():
        made = cluster(nodes, _SEED)
        stage.grow(made)
        for load in loads:
            yield from stage.rounds(made, load)


class _Stage:
    """The cluster as it grows, and how much has been measured on it."""

    def __init__(
        self, connection: Connection, scheduler: SchedulerPod, chance: random.Random, steps: int, progress: Progress
    ) -> None:
        self._connection = connection
        self._scheduler = scheduler
        self._chance = chance
        self._steps = steps
        self._progress = progress
        self._there = 0
        self._done = 0

    def grow(self, made: Cluster) -> None:
        """Add what is not there yet: a larger cluster of one seed begins with the smaller one."""
        self._progress(f"adding nodes up to {len(made.nodes)}", self._done, self._steps)
        asyncio.run(self._add(made))
        self._there = len(made.nodes)

    async def _add(self, made: Cluster) -> None:
        new = made.nodes[self._there :]
        names = {node["metadata"]["name"] for node in new}
        await add_nodes(self._connection, new)
        async with ApiClient(self._connection) as api:
            await create_pods(api, RESIDENTS, [pod for pod in made.residents if pod["spec"]["nodeName"] in names])

    def rounds(self, made: Cluster, load: Load) -> Iterator[Measured]:
        """The load on the cluster as it is, round by round."""
        rows: list[Row] = []
        for number in range(load.rounds):
            for arm in self._chance.sample(load.arms, len(load.arms)):
                rows.append(row(arm, number, made, load.pods, self._burst(len(made.nodes), load, number, arm)))
                self._done += 1
            yield Measured(len(made.nodes), load.pods, load.backlog, list(rows))

    def _burst(self, nodes: int, load: Load, number: int, arm: Arm) -> Burst:
        """One arm's; once more where the cluster failed to answer, because twenty others are lost with it."""
        what = "backlog" if load.backlog else "burst"
        sentence = f"{nodes} nodes, {what}, round {number}, {arm.name}"
        manifests = pods(load.pods, _SEED + number, f"{what}-r{number}-{arm.name}", gated=arm.gated)

        def place() -> Burst:
            self._progress(sentence, self._done, self._steps)
            return asyncio.run(_seen(self._connection, self._scheduler, arm, manifests, backlog=load.backlog))

        try:
            return place()
        except (SandboxError, KubeError) as error:
            self._progress(f"{sentence}: again, because {error}", self._done, self._steps)
            asyncio.run(_removed(self._connection))
            return place()


async def _seen(
    connection: Connection, scheduler: SchedulerPod, arm: Arm, manifests: Sequence[Manifest], *, backlog: bool
) -> Burst:
    """What became of the pods. What processes use is not seen from outside of the node.

    Either the pods wait, the extender has planned, and the scheduler begins; or the scheduler leads already when they come. Only beside
    a scheduler that leads does the extender nominate, or take gates away.
    """
    moments = Moments()
    async with ApiClient(connection) as api, watched(api, moments):
        with scheduler.of(arm):
            if not backlog:
                await asyncio.to_thread(scheduler.lead)
                await asyncio.sleep(START_SECONDS)
            await create_pods(api, NAMESPACE, manifests)
            if backlog:
                await asyncio.sleep(PLAN_SECONDS)
                await asyncio.to_thread(scheduler.let_go)
            await placed(moments, len(manifests))
        await remove_pods(api)
    return Burst(moments, Used({}, {}))


async def _removed(connection: Connection) -> None:
    """No pod of a burst is there any more."""
    async with ApiClient(connection) as api:
        await remove_pods(api)
