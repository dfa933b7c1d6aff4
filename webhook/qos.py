"""The Quality of Service class of a pod spec, as `pkg/apis/core/v1/helper/qos` computes it. Frozen at CREATE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from stowplan.model.resources import Amounts, container_amounts
from webhook.containers import COMPUTE, LISTS


class QoS(IntEnum):
    """Ordered: a larger value is evicted later."""

    BEST_EFFORT = 0
    BURSTABLE = 1
    GUARANTEED = 2


def qos_of(spec: Mapping[str, Any]) -> QoS:
    """The class the API server will record. Raises QuantityError for a bad quantity."""
    pairs = list(_pairs(spec))
    if not any(requests or limits for requests, limits in pairs):
        return QoS.BEST_EFFORT
    if not all(len(limits) == len(COMPUTE) for _, limits in pairs):
        return QoS.BURSTABLE
    for resource in COMPUTE:
        if sum(r.get(resource, 0) for r, _ in pairs) != sum(limits[resource] for _, limits in pairs):
            return QoS.BURSTABLE
    return QoS.GUARANTEED


def _pairs(spec: Mapping[str, Any]) -> Iterator[tuple[Amounts, Amounts]]:
    """Positive CPU and memory requests and limits: of the pod where it has its own, else of every container."""
    if spec.get("resources") is not None:
        yield _positive(container_amounts(spec)), _positive(container_amounts(spec, "limits"))
        return
    for list_name in LISTS:
        for container in spec.get(list_name) or ():
            yield _positive(container_amounts(container)), _positive(container_amounts(container, "limits"))


def _positive(amounts: Amounts) -> Amounts:
    return {name: amounts[name] for name in COMPUTE if amounts.get(name, 0) > 0}
