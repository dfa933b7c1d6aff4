"""Which capacity type (on-demand, spot) an item's class would rather have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stowplan.model.keys import CAPACITY_TYPE
from stowplan.model.pod import PodSignature
from stowplan.model.workload_class import WorkloadClass

_TYPES: Final = ("on-demand", "spot")


def capacity_points(signature: PodSignature, own: WorkloadClass | None) -> Mapping[str, int]:
    """Capacity type -> points below the favourite of the class `own`; one that the class does not name has none at all.

    Empty where the class has no preference, or the pod brings it along: the webhook writes it as preferred node affinity.
    """
    if own is None or not own.scheduling.capacity or _brings_its_own(signature):
        return {}
    points = {preference.type: preference.weight for preference in own.scheduling.capacity}
    best = max(points.values())
    return {kind: best - points.get(kind, 0) for kind in _TYPES}


def _brings_its_own(signature: PodSignature) -> bool:
    terms = [preferred.term for preferred in signature.preferred_nodes]
    return any(expression.key == CAPACITY_TYPE for term in terms for expression in term.expressions)
