"""The Azure trace under the greedy walk's rule with a growing weight of latency: what headroom costs over a week, one pod at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from extender.binpacking.load_penalty import STEEP, knee
from perf.simulation.traces import AZURE_WINDOW, azure_pods, ec2_type
from perf.tradeoff.loads import BOUND, Loads
from simulator.cluster import Cluster, Ints
from simulator.engine import Replay
from simulator.policies.policy import Policy, Scores, free_share
from simulator.trace import PodRow, Trace
from stowplan.model.money import dollars

WEIGHTS: Final = (0, 25, 50, 100, 200, 400)
"""Latency against money in percent; a built-in class has latency / (pack + cost): batch 0, elastic 18, standard 54, critical 400."""
FOLDS: Final = (3, 4, 5)
_SAMPLE_S: Final = 600


class WeighedFit(Policy):
    """Best fit in money with the load penalty weighed in, as `price_weighted_best_fit` does it: three quarters of the larger free share.

    Args:
        weight_percent: of a point of latency against a thousandth of the node's price.
        begin_s: loads are sampled from then on.
    """

    def __init__(self, weight_percent: int, begin_s: int) -> None:
        self._weight = weight_percent / 100
        self._next_s = begin_s
        self.loads = Loads()

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """See the class."""
        del now
        cpu = free_share(cluster.cpu, cluster.cpu_capacity, pod.shape.cpu_millicores, nodes)
        memory = free_share(cluster.memory, cluster.memory_capacity, pod.shape.memory_bytes, nodes)
        unused = 1000 * (3 * np.maximum(cpu, memory) + np.minimum(cpu, memory)) / 4
        load = 1000 * (1 - cpu)
        penalty = np.maximum(0, load - BOUND) + STEEP * np.maximum(0, load - knee(BOUND))
        scores: Scores = -(unused + self._weight * penalty)
        return scores

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Look at the nodes in use every ten minutes of the trace."""
        del pod, slot
        if now < self._next_s:
            return
        self._next_s = now + _SAMPLE_S
        there = np.flatnonzero(cluster.active & (cluster.residents > 0))
        used = cluster.cpu_capacity[there] - cluster.cpu[there]
        self.loads.add(int(load) for load in used * 1000 // cluster.cpu_capacity[there])


def curve(weights: Sequence[int] = WEIGHTS, folds: Sequence[int] = FOLDS) -> list[dict[str, Any]]:
    """One row a weight, over all folds: mean price of the nodes in use, and their loads."""
    rows = []
    for weight in weights:
        cost = unplaced = 0
        loads: list[dict[str, Any]] = []
        for fold in folds:
            policy = WeighedFit(weight, AZURE_WINDOW.begin_s)
            trace = Trace((ec2_type("m5.8xlarge"),), azure_pods(fold), elastic=True, timed=True)
            outcome = Replay(trace, policy, window=AZURE_WINDOW).run()
            cost += outcome.cost_micro_usd_per_hour
            unplaced += outcome.unplaced
            loads.append(policy.loads.summary())
        means = {name: round(sum(found[name] for found in loads) / len(loads), 1) for name in loads[0]}
        rows.append({"weight_percent": weight, "usd_per_hour": round(dollars(cost), 4), "unplaced": unplaced, **means})
    return rows
