"""WorkloadProfiles and the pods of their workloads, as tests of the command line and of proposals need them."""

from __future__ import annotations

from typing import Any

from stowplan.model.profile import (
    AchievedRisk,
    ClassRecommendation,
    Confidence,
    ContainerRecommendation,
    Regression,
    Risk,
    Source,
    WorkloadMode,
    WorkloadProfile,
)
from stowplan.model.workload_class import Cost

GIB = 2**30
DECLARED = Risk(60_000, 80_000, 40_000)


def container(cpu: int, memory: int, name: str = "app", saving: int = 0) -> ContainerRecommendation:
    """A recommendation of high confidence from usage."""
    return ContainerRecommendation(
        name=name,
        target={"cpu": cpu, "memory": memory},
        lower={"cpu": cpu // 2, "memory": memory // 2},
        upper={"cpu": cpu * 2, "memory": memory * 2},
        confidence=Confidence.HIGH,
        source=Source.USAGE,
        formula="as a person would check it",
        samples=2000,
        days=20,
        clamps=("cpu step",),
        saving_micro_usd_per_hour=saving,
    )


def profile(
    name: str = "checkout",
    *containers: ContainerRecommendation,
    namespace: str = "shop",
    kind: str = "Deployment",
    wclass: str = "standard",
    achieved: Risk | None = None,
    halt: Regression | None = None,
    others: tuple[ClassRecommendation, ...] = (),
    replicas: int = 0,
) -> WorkloadProfile:
    """A profile with one recommendation under its own class, and those of other classes."""
    own = ClassRecommendation(wclass, Cost.BALANCED, containers or (container(750, 2 * GIB),))
    return WorkloadProfile(
        namespace=namespace,
        kind=kind,
        name=name,
        api_version="batch/v1" if kind.endswith("Job") else "apps/v1",
        updated_s=1_800_000_000,
        history_hours=480,
        replicas=replicas,
        observed_class=wclass,
        observed_mode=WorkloadMode.APPLY,
        recommendations=(own, *others),
        risk=None if achieved is None else AchievedRisk(DECLARED, achieved, 14),
        regression=halt,
    )


def running_pod(
    name: str, owner: tuple[str, str], requests: dict[str, str], namespace: str = "shop", phase: str = "Running"
) -> dict[str, Any]:
    """A pod of a ReplicaSet (whose template hash is `abc`) or of another owner, with the container `app`."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"pod-template-hash": "abc"},
            "ownerReferences": [{"kind": owner[0], "name": owner[1], "controller": True}],
        },
        "spec": {"containers": [{"name": "app", "image": "x", "resources": {"requests": requests}}]},
        "status": {"phase": phase},
    }
