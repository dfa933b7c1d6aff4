"""The risk that a run took: the requests its pods had, against the CPU that the same workloads used on the day after the learned ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demo.usage import LEARNED_DAYS, usage_of
from demo.workload import Workload
from recommender.risk import declared
from stowplan.model.builtin_classes import BUILTIN_CLASSES


@dataclass(frozen=True, slots=True)
class ClassRisk:
    """CPU risk of the pods of one class on the judged day. Shares are 0 to 1."""

    workloads: int
    requested_cores: float
    """Of all pods together, as if all were there at once."""
    used_cores: float
    """Mean use of the same pods."""
    overrun_share: float
    """Share of time with use above the request: mean over workloads."""
    overrun_share_p95: float
    """The same, 95th percentile over workloads."""
    unmet: float
    """Use above the request, as a share of use, over all pods."""
    declared_overrun: float
    declared_unmet: float
    within: float
    """Share of the workloads whose overrun and unmet demand are both within what the class declares."""


@dataclass(frozen=True, slots=True)
class _Judged:
    request: float
    replicas: int
    use: float
    overrun: float
    unmet: float


def risk_by_class(workloads: Sequence[Workload], requests: Mapping[str, int]) -> dict[str, ClassRisk]:
    """The risk by class of those workloads whose request is known.

    Args:
        workloads: of the run.
        requests: millicores that a pod of the workload had, by workload.
    """
    found = {}
    for name in sorted({workload.workload_class for workload in workloads}):
        members = [w for w in workloads if w.workload_class == name and w.name in requests]
        if members:
            found[name] = _class_risk(name, _judge(members, requests))
    return found


def _judge(workloads: Sequence[Workload], requests: Mapping[str, int]) -> list[_Judged]:
    usage = usage_of(workloads)
    replicas = {workload.name: workload.replicas for workload in workloads}
    judged = []
    for number, (name, _) in enumerate(usage.names):
        use = usage.cpu[usage.cell(number, LEARNED_DAYS)]
        over = use - requests[name]
        judged.append(
            _Judged(
                requests[name], replicas[name], float(use.mean()), float((over > 0).mean()), float(over.clip(0).mean())
            )
        )
    return judged


def _class_risk(name: str, judged: Sequence[_Judged]) -> ClassRisk:
    limits = declared(BUILTIN_CLASSES[name])
    overruns = np.array([j.overrun for j in judged])
    used = sum(j.use * j.replicas for j in judged)
    within = [j.overrun <= limits.overrun and j.unmet <= limits.unmet * j.use for j in judged]
    return ClassRisk(
        workloads=len(judged),
        requested_cores=round(sum(j.request * j.replicas for j in judged) / 1000, 1),
        used_cores=round(used / 1000, 1),
        overrun_share=round(float(overruns.mean()), 4),
        overrun_share_p95=round(float(np.percentile(overruns, 95)), 4),
        unmet=round(sum(j.unmet * j.replicas for j in judged) / used, 4) if used else 0.0,
        declared_overrun=limits.overrun,
        declared_unmet=limits.unmet,
        within=round(sum(within) / len(within), 4),
    )
