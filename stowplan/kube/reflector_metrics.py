"""What reflectors count. One `ReflectorMetrics` per registry, one `ReflectorCounters` per reflector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable


class ReflectorMetrics:
    """The metric families, labelled by resource.

    Args:
        registry: where they are registered; a private one when absent.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        to = registry if registry is not None else CollectorRegistry()
        label = ["resource"]
        self.relists = Counter(
            "stowplan_reflector_relists", "Full lists begun, the first included.", label, registry=to
        )
        self.watches = Counter(
            "stowplan_reflector_reconnects", "Watches opened, the first included.", label, registry=to
        )
        self.events = Counter(
            "stowplan_reflector_events", "Watch events received, by type.", [*label, "type"], registry=to
        )
        self.errors = Counter(
            "stowplan_reflector_errors", "Failed lists and watches, by error.", [*label, "error"], registry=to
        )
        self.dropped = Counter("stowplan_reflector_dropped", "Objects whose projection failed.", label, registry=to)
        self.synced = Gauge(
            "stowplan_reflector_synced", "1 once the first full list is in the store.", label, registry=to
        )
        self.lag = Gauge(
            "stowplan_reflector_lag_seconds", "Seconds since the server was last heard of.", label, registry=to
        )

    def of(self, resource: str, lag_seconds: Callable[[], float]) -> ReflectorCounters:
        """The counters of one reflector; ``lag_seconds`` is read at each scrape."""
        self.lag.labels(resource).set_function(lag_seconds)
        return ReflectorCounters(self, resource)


class ReflectorCounters:
    """The metric families bound to one resource."""

    def __init__(self, families: ReflectorMetrics, resource: str) -> None:
        self._families = families
        self._resource = resource
        self._by_type: dict[str, Counter] = {}
        families.synced.labels(resource).set(0)
        self.relists = families.relists.labels(resource).inc
        self.watches = families.watches.labels(resource).inc
        self.dropped = families.dropped.labels(resource).inc

    def events(self, kind: str) -> None:
        """Count a watch event of this type."""
        counter = self._by_type.get(kind)
        if counter is None:  # looking it up costs more than counting
            counter = self._by_type[kind] = self._families.events.labels(self._resource, kind)
        counter.inc()

    def errors(self, error: str) -> None:
        """Count a failed list or watch by the class of its error."""
        self._families.errors.labels(self._resource, error).inc()

    def synced(self) -> None:
        """Note that the store is complete."""
        self._families.synced.labels(self._resource).set(1)
