"""What a HorizontalPodAutoscaler will make of changed requests: it divides use by them, so replicas follow in inverse proportion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stowplan.model.quantity import format_amount
from webhook.autoscalers import HorizontalAutoscaler, Scaling
from webhook.containers import COMPUTE
from webhook.sizing import Sizing


@dataclass(frozen=True, slots=True)
class ReplicaChange:
    """One autoscaler and one resource by which it scales; amounts are those of one pod."""

    autoscaler: str
    resource: str
    before: int
    after: int
    replicas: int | None = None
    """Of today; None where they are not known."""
    expected: int | None = None
    """Replicas times old request over new request, rounded up, within the autoscaler's bounds."""

    def __str__(self) -> str:
        amounts = " to ".join(format_amount(self.resource, amount) for amount in (self.before, self.after))
        counts = "" if self.expected is None else f", so about {self.expected} replicas instead of {self.replicas}"
        return f"HorizontalPodAutoscaler {self.autoscaler} scales on {self.resource}, which goes from {amounts}{counts}"

    def as_record(self) -> dict[str, Any]:
        """For the decision record."""
        counts = {"replicas": self.replicas, "expected": self.expected}
        return {
            "autoscaler": self.autoscaler,
            "resource": self.resource,
            "from": format_amount(self.resource, self.before),
            "to": format_amount(self.resource, self.after),
            **{name: count for name, count in counts.items() if count is not None},
        }


def replica_changes(sizings: Sequence[Sizing], scaling: Scaling, replicas: int | None) -> tuple[ReplicaChange, ...]:
    """The changes that decided sizes bring; a resource that some counted container had no request for scaled nothing before."""
    found = (_change(sizings, a, resource, replicas) for a in scaling.autoscalers for resource in COMPUTE)
    return tuple(change for change in found if change is not None)


def _change(
    sizings: Sequence[Sizing], autoscaler: HorizontalAutoscaler, resource: str, replicas: int | None
) -> ReplicaChange | None:
    counted = [s for s in sizings if autoscaler.divides_by(resource, s.container)]
    if not counted or not all(s.container.requests.get(resource) for s in counted):
        return None
    before = sum(s.container.requests[resource] for s in counted)
    after = sum(s.request(resource) for s in counted)
    if before == after or not after:
        return None
    expected = None
    if replicas is not None:
        expected = min(max(-(-replicas * before // after), autoscaler.least), autoscaler.most)
    return ReplicaChange(autoscaler.name, resource, before, after, replicas, expected)
