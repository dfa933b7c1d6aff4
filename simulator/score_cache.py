"""Scores by pod shape, kept as long as a node does not change: what makes replays of thousands of pods fast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Policy
from simulator.trace import PodRow, PodShape


class _Kept:
    """Scores of one shape, by slot; minus infinity where it does not fit."""

    def __init__(self) -> None:
        self.scores: NDArray[np.float64] = np.full(0, -np.inf)
        self.read = 0
        """How many of the cluster's changes these scores have seen."""


class ScoreCache:
    """The best node for a pod under a policy."""

    def __init__(self, cluster: Cluster, policy: Policy) -> None:
        self._cluster, self._policy = cluster, policy
        self._epoch = -1
        self._kept: dict[PodShape, _Kept] = {}

    def best(self, pod: PodRow, excluded: Ints | None, now: int) -> int | None:
        """The slot with the best score on which the pod fits, or None; `excluded` slots are left out."""
        scores = self._scores(pod, now) if self._policy.static else self._fresh(pod, excluded, now)
        if excluded is not None and len(excluded):
            scores = scores.copy()
            scores[excluded[excluded < len(scores)]] = -np.inf
        if not len(scores):
            return None
        best = int(scores.argmax())
        return best if scores[best] > -np.inf else None

    def _fresh(self, pod: PodRow, excluded: Ints | None, now: int) -> NDArray[np.float64]:
        scores = np.full(self._cluster.slots, -np.inf)
        nodes = np.flatnonzero(self._cluster.fits(pod.shape, np.arange(self._cluster.slots)))
        if excluded is not None:
            nodes = np.setdiff1d(nodes, excluded)
        if len(nodes):
            scores[nodes] = self._policy.scores(self._cluster, pod, nodes, now)
        return scores

    def _scores(self, pod: PodRow, now: int) -> NDArray[np.float64]:
        if self._policy.epoch != self._epoch:
            self._kept.clear()
            self._epoch = self._policy.epoch
        kept = self._kept.setdefault(pod.shape, _Kept())
        cluster = self._cluster
        if len(kept.scores) < cluster.slots:
            more = np.arange(len(kept.scores), cluster.slots)
            kept.scores = np.concatenate([kept.scores, np.full(len(more), -np.inf)])
        else:
            more = np.zeros(0, np.int64)
        changed = np.array(cluster.changes[kept.read :], np.int64)
        stale = np.unique(np.concatenate([more, changed]))
        kept.read = len(cluster.changes)
        kept.scores[stale] = -np.inf
        fitting = stale[cluster.fits(pod.shape, stale)]
        if len(fitting):
            kept.scores[fitting] = self._policy.scores(cluster, pod, fitting, now)
        return kept.scores
