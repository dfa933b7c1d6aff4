"""The arms of `perf.throughput` in a kind cluster: the same nodes and pods, with scheduler and extender in a pod."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from perf.in_kind.own_nodes import add_nodes, keep_apart
from perf.in_kind.scheduler_pod import SchedulerPod
from perf.throughput.arms import Arm
from perf.throughput.burst import PLAN_SECONDS, START_SECONDS, Burst, Moments, Used, placed, remove_pods, watched
from perf.throughput.stage import create_pods
from perf.throughput.summary import Row, row
from perf.throughput.workload import NAMESPACE, RESIDENTS, Cluster, Manifest, cluster, pods
from sandbox.kind.cluster import KindCluster
from sandbox.manifests import manifests_dir
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection

Progress = Callable[[str, int, int], None]
_SEED: Final = 1
_GATES: Final = ("rbac.yaml", "policy.yaml")
"""Of the component that lets an extender take its gate away; its flag is the arm's own."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How much is measured."""

    sizes: Sequence[int]
    """Numbers of nodes, ascending: nodes are only added."""
    backlog: int
    """Pods that wait when the scheduler begins; on few nodes fewer, because no more fit."""
    arms: Sequence[Arm]
    """On a backlog."""
    bursts: Mapping[int, int]
    """Number of nodes (one of `sizes`) -> pods that come while the scheduler runs."""
    channels: Sequence[Arm]
    """On a burst."""
    rounds: int
    """Of every size; in each the arms come in an order of their own."""

    @property
    def steps(self) -> int:
        """Backlogs and bursts in all."""
        return self.rounds * (len(self.sizes) * len(self.arms) + len(self.bursts) * len(self.channels))


@dataclass(frozen=True, slots=True)
class Measured:
    """All arms in all rounds on one size, under one load."""

    nodes: int
    pods: int
    backlog: bool
    """Whether the pods waited when the scheduler began, or came while it ran."""
    rows: list[Row]


def measure(kind: KindCluster, scope: Scope, progress: Progress) -> Iterator[Measured]:
    """Size by size, on each the backlog before the burst.

    Args:
        kind: with stowplan installed.
        scope: what to measure.
        progress: takes a sentence, how much is done, and of how much.
    """
    connection = Connection.from_kubeconfig(kind.kubeconfig)
    keep_apart(kind)
    for name in (NAMESPACE, RESIDENTS):
        kind.kubectl("create", "namespace", name)
    for name in _GATES:
        kind.kubectl("apply", "-f", str(manifests_dir() / "components" / "scheduling-gates" / name))
    stage = _Stage(connection, SchedulerPod(kind), random.Random(_SEED), scope, progress)  # noqa: S311 - an order, not a secret
    for nodes in scope.sizes:
        made = cluster(nodes, _SEED)
        stage.grow(made)
        few = min(scope.backlog, 2 * nodes)
        yield Measured(nodes, few, True, stage.rows(made, few, scope.arms, backlog=True))
        if nodes in scope.bursts:
            count = scope.bursts[nodes]
            yield Measured(nodes, count, False, stage.rows(made, count, scope.channels, backlog=False))


class _Stage:
    """The cluster as it grows, and how much has been measured on it."""

    def __init__(
        self, connection: Connection, scheduler: SchedulerPod, chance: random.Random, scope: Scope, progress: Progress
    ) -> None:
        self._connection = connection
        self._scheduler = scheduler
        self._chance = chance
        self._scope = scope
        self._progress = progress
        self._there = 0
        self._done = 0

    def grow(self, made: Cluster) -> None:
        """Add what is not there yet: a larger cluster of one seed begins with the smaller one."""
        self._progress(f"adding nodes up to {len(made.nodes)}", self._done, self._scope.steps)
        asyncio.run(self._add(made))
        self._there = len(made.nodes)

    async def _add(self, made: Cluster) -> None:
        new = made.nodes[self._there :]
        names = {node["metadata"]["name"] for node in new}
        await add_nodes(self._connection, new)
        async with ApiClient(self._connection) as api:
            await create_pods(api, RESIDENTS, [pod for pod in made.residents if pod["spec"]["nodeName"] in names])

    def rows(self, made: Cluster, count: int, arms: Sequence[Arm], *, backlog: bool) -> list[Row]:
        """All arms in all rounds on the cluster as it is."""
        rows = []
        what = "backlog" if backlog else "burst"
        for number in range(self._scope.rounds):
            for arm in self._chance.sample(arms, len(arms)):
                sentence = f"{len(made.nodes)} nodes, {what}, round {number}, {arm.name}"
                self._progress(sentence, self._done, self._scope.steps)
                manifests = pods(count, _SEED + number, f"{what}-r{number}-{arm.name}", gated=arm.gated)
                seen = asyncio.run(_seen(self._connection, self._scheduler, arm, manifests, backlog=backlog))
                rows.append(row(arm, number, made, count, seen))
                self._done += 1
        return rows


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
