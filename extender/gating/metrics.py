"""What the gates channel counts."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_WAITS: Final = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class GateMetrics:
    """The metric families of the channel.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.held = Gauge("stowplan_extender_gated_pods", "Pods behind our scheduling gate.", registry=registry)
        self.released = Counter(
            "stowplan_extender_gates_released", "Gates taken away, by why.", ["why"], registry=registry
        )
        self.failed = Counter(
            "stowplan_extender_gate_writes_failed", "Writes that failed and are tried again.", registry=registry
        )
        self.waited = Histogram(
            "stowplan_extender_gate_wait_seconds",
            "From the first sight of a held pod to the decision to let it go.",
            buckets=_WAITS,
            registry=registry,
        )
        self.announced = Gauge(
            "stowplan_extender_gates_announced", "1 while the webhook is told that it may add gates.", registry=registry
        )
