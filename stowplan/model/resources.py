"""The resource model: amounts by resource name, the effective request of a pod, and shortfalls with numbers.

Sources: `k8s.io/component-helpers/resource` (PodRequests), KEP-753 (sidecars), KEP-2837 (pod-level resources).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stowplan.model.quantity import format_amount, parse_amount

Amounts = Mapping[str, int]
"""Resource name -> integer amount: `cpu` in millicores, all others in their base unit."""

PODS: Final = "pods"
"""The pod slot of a node, counted like any other resource."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why something did not fit: the resource, what was asked, what is used and the capacity, in integer units."""

    resource: str
    asked: int
    used: int
    capacity: int

    def __str__(self) -> str:
        asked, used, capacity = (format_amount(self.resource, n) for n in (self.asked, self.used, self.capacity))
        return f"{self.resource}: asked {asked}, used {used} of {capacity}"


def parse_amounts(block: Mapping[str, Any] | None) -> dict[str, int]:
    """A `requests`, `limits`, `allocatable` or `hard` block as integers. Raises QuantityError."""
    return {name: parse_amount(name, value) for name, value in (block or {}).items()}


def add(left: Amounts, right: Amounts) -> dict[str, int]:
    """The sum, resource by resource."""
    total = dict(left)
    for name, amount in right.items():
        total[name] = total.get(name, 0) + amount
    return total


def maximum(left: Amounts, right: Amounts) -> dict[str, int]:
    """The larger amount, resource by resource."""
    largest = dict(left)
    for name, amount in right.items():
        largest[name] = max(largest.get(name, 0), amount)
    return largest


def shortfalls(asked: Amounts, used: Amounts, capacity: Amounts) -> list[Shortfall]:
    """Every resource of which `asked` does not fit beside `used` in `capacity`; a resource the node does not name has none."""
    return [
        Shortfall(name, amount, used.get(name, 0), capacity.get(name, 0))
        for name, amount in sorted(asked.items())
        if amount > 0 and used.get(name, 0) + amount > capacity.get(name, 0)
    ]


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """A sidecar is an init container that keeps running (KEP-753)."""
    return container.get("restartPolicy") == "Always"


def effective_requests(spec: Mapping[str, Any], kind: str = "requests") -> dict[str, int]:
    """What the scheduler reserves for a pod spec: max(apps + sidecars, each init + the sidecars before it), pod level, overhead.

    `kind` is `requests` or `limits`. As in the API server a container's missing request takes its limit.
    The pod's own slot (`pods`: 1) is not included.
    """
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        own = container_amounts(container, kind)
        if is_sidecar(container):
            sidecars = add(sidecars, own)
            peak = maximum(peak, sidecars)
        else:
            peak = maximum(peak, add(sidecars, own))
    running = sidecars
    for container in spec.get("containers") or ():
        running = add(running, container_amounts(container, kind))
    total = maximum(running, peak)
    total.update(container_amounts(spec, kind))
    overhead = parse_amounts(spec.get("overhead"))
    if kind == "limits":  # the overhead raises a limit that is there, it does not make one
        overhead = {name: amount for name, amount in overhead.items() if name in total}
    return add(total, overhead)


def container_amounts(container: Mapping[str, Any], kind: str = "requests") -> dict[str, int]:
    """Requests or limits of a container (or of a pod spec's own `resources`), a missing request taken from the limit."""
    resources = container.get("resources") or {}
    if kind == "limits":
        return parse_amounts(resources.get("limits"))
    return {**parse_amounts(resources.get("limits")), **parse_amounts(resources.get("requests"))}
