"""Which pods are held by a scheduling gate until the plan has a place for them.

A batch is packed best when it is planned as a whole, and a pod that nobody gates is scheduled within milliseconds of its creation. A gate
that nobody takes away keeps its pod from ever running, so one is added only where the namespace asks for it, where the pod may wait,
and while the Lease of whoever takes gates away is being renewed. The Lease is read from memory, as everything here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from stowplan.model.workload_class import Latency, WorkloadClass, WorkloadPolicy


class Gate(StrEnum):
    """What becomes of the gate; label of the counter."""

    NONE = "none"
    """The namespace does not ask for gates, or the pod is not one to be held."""
    ADDED = "added"
    UNGATER_NOT_ALIVE = "ungater_not_alive"
    """Nobody would take it away: left out."""


_OTHER_OWNERS: Final = ("schedulingGates", "schedulingGroup", "workloadRef")
"""Fields of a pod whose placement somebody else decides about: a queue that gates, or Kubernetes' own pod groups."""


def gate_of(
    spec: Mapping[str, Any], workload_class: WorkloadClass, policy: WorkloadPolicy | None, *, ungater_alive: bool
) -> Gate:
    """Whether a pod that `stowplan-scheduler` is to place is held.

    Args:
        spec: of the pod, without what an earlier decision of ours set.
        workload_class: with the pod's own latency.
        policy: of the namespace.
        ungater_alive: whether the Lease is being renewed.
    """
    if policy is None or not policy.gate or workload_class.latency is not Latency.RELAXED:
        return Gate.NONE
    if any(spec.get(name) for name in _OTHER_OWNERS):
        return Gate.NONE
    return Gate.ADDED if ungater_alive else Gate.UNGATER_NOT_ALIVE
