"""How far a decision goes: the pod's own mode, else the more careful of its class and its namespace.

A canary is a share of workloads by a stable hash: it only grows with the percentage, and a workload's pods always agree.
"""

from __future__ import annotations

import hashlib
from typing import Final

from stowplan.model.workload_class import Rollout, RolloutMode
from webhook.intent import PodMode
from webhook.workload import Workload

_PERCENT: Final = {RolloutMode.OBSERVE: 0, RolloutMode.APPLY: 100}


def observes(mode: PodMode | None, of_class: Rollout, of_namespace: Rollout | None, workload: Workload) -> bool:
    """Whether the decision is written down only."""
    if mode is not None:
        return mode is PodMode.OBSERVE
    percent = share(of_class)
    if of_namespace is not None:
        percent = min(percent, share(of_namespace))
    return bucket(workload) >= percent


def share(rollout: Rollout) -> int:
    """Percent of the workloads that are changed."""
    return _PERCENT.get(rollout.mode, rollout.percent)


def bucket(workload: Workload) -> int:
    """0 to 99, the same for ever for one workload."""
    return int(hashlib.sha256(workload.identity.encode()).hexdigest()[:8], 16) % 100
