"""What the sources of usage and the intake count. One `SourceMetrics` per registry, one `SourceCounters` per source."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from recommender.sources.intake import Admission, DropReason
from recommender.sources.observation import UsageSample


class SourceMetrics:
    """The metric families, labelled by source.

    Args:
        registry: where they are registered; a private one when absent.
        clock: Unix seconds.
    """

    def __init__(self, registry: CollectorRegistry | None = None, clock: Callable[[], float] = time.time) -> None:
        to = registry if registry is not None else CollectorRegistry()
        label = ["source"]
        self.clock = clock
        self.delivered = Counter(
            "stowplan_usage_samples_delivered", "Samples that a source has delivered.", label, registry=to
        )
        self.accepted = Counter(
            "stowplan_usage_samples_accepted", "Samples that were learned; a part of one counts.", label, registry=to
        )
        self.dropped = Counter(
            "stowplan_usage_samples_dropped",
            "Samples that were not learned, or only in part, by reason.",
            [*label, "reason"],
            registry=to,
        )
        self.unreadable = Counter(
            "stowplan_usage_unreadable",
            "Containers or series that make no sense as the source sent them.",
            label,
            registry=to,
        )
        self.resets = Counter("stowplan_usage_counter_resets", "Counters that began again at 0.", label, registry=to)
        self.errors = Counter(
            "stowplan_usage_source_errors", "Failed requests to a source, by error.", [*label, "error"], registry=to
        )
        self.up = Gauge(
            "stowplan_usage_source_up", "1 while the last request to the source succeeded.", label, registry=to
        )
        self.age = Gauge(
            "stowplan_usage_newest_sample_age_seconds",
            "Age of the newest sample; infinite before the first.",
            label,
            registry=to,
        )
        self.back_fill = Gauge(
            "stowplan_usage_back_fill_progress", "Share of the back-fill that has been delivered.", label, registry=to
        )
        self.incidents = Counter(
            "stowplan_incidents", "OOM kills, evictions and restarts, each once, by kind.", ["kind"], registry=to
        )
        self.unattributed = Counter(
            "stowplan_incidents_unattributed",
            "Events about memory that name no container that is known.",
            ["reason"],
            registry=to,
        )

    def of(self, source: str) -> SourceCounters:
        """The counters of one source; for the source itself, once."""
        return SourceCounters(self, source)

    def admitted(self, source: str, admission: Admission) -> None:
        """The intake has looked at samples of a source."""
        self.accepted.labels(source).inc(len(admission.samples))
        for reason, count in admission.dropped.items():
            self.dropped.labels(source, reason.value).inc(count)


class SourceCounters:
    """The metric families bound to one source."""

    def __init__(self, families: SourceMetrics, source: str) -> None:
        self._families = families
        self._source = source
        self._newest_s = float("-inf")
        families.up.labels(source).set(0)
        families.age.labels(source).set_function(lambda: families.clock() - self._newest_s)
        for reason in DropReason:
            families.dropped.labels(source, reason.value)
        self.unreadable = families.unreadable.labels(source).inc
        self.resets = families.resets.labels(source).inc
        self.progress = families.back_fill.labels(source).set

    def succeeded(self) -> None:
        """A request was answered."""
        self._families.up.labels(self._source).set(1)

    def failed(self, error: Exception) -> None:
        """A request was not answered, or with an error."""
        self._families.up.labels(self._source).set(0)
        self._families.errors.labels(self._source, type(error).__name__).inc()

    def delivered(self, samples: Sequence[UsageSample]) -> None:
        """The source hands over samples."""
        self._families.delivered.labels(self._source).inc(len(samples))
        self._newest_s = max([self._newest_s, *(sample.t_s for sample in samples)])

    def admitted(self, admission: Admission) -> None:
        """The intake has looked at samples of this source."""
        self._families.admitted(self._source, admission)
