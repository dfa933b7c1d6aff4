"""Latencies from Prometheus histograms, as the services and the API server export them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

WEBHOOK = "stowplan_admission_duration_seconds"
EXTENDER = "stowplan_extender_request_duration_seconds"
DECISIONS = "stowplan_extender_decisions"
"""Calls of the extender by verb and outcome."""
API_SERVER = "apiserver_admission_webhook_admission_duration_seconds"
"""What admission by a webhook took as the API server saw it: TLS, HTTP and waiting included."""
_INFINITY = "+Inf"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound in seconds, as Prometheus keeps them; infinity is the last bound."""

    buckets: Mapping[float, float] = field(default_factory=dict)

    @property
    def count(self) -> float:
        """All observations."""
        return self.buckets.get(math.inf, 0.0)

    def minus(self, earlier: "Histogram") -> "Histogram":
        """What was observed since an earlier scrape of the same process."""
        return Histogram({bound: count - earlier.buckets.get(bound, 0.0) for bound, count in self.buckets.items()})

    def quantile(self, q: float) -> float | None:
        """The q-quantile in seconds, or None without observations.

        Linear within a bucket, from zero in the first one; in the last, unbounded one it is the largest finite bound.
        These are the rules of ``histogram_quantile`` in Prometheus.
        """
        bounds = sorted(self.buckets)
        rank = q * self.count
        if not rank:
            return None
        below_bound = below_count = 0.0
        for bound in bounds:
            count = self.buckets[bound]
            if count >= rank:
                if math.isinf(bound):
                    return below_bound
                return below_bound + (bound - below_bound) * (rank - below_count) / (count - below_count)
            below_bound, below_count = bound, count
        return None


def read_histogram(exposition: str, name: str, labels: Mapping[str, str] | None = None) -> Histogram:
    """Sum of all series of a histogram whose labels include ``labels``; empty when there is none.

    Args:
        exposition: the text of a /metrics page.
        name: of the histogram, without ``_bucket``.
        labels: label values that a series must have.
    """
    wanted = (labels or {}).items()
    buckets: dict[float, float] = {}
    # Only the lines of this histogram are parsed: the API server's page has tens of thousands.
    lines = [line for line in exposition.splitlines() if line.startswith((name, f"# TYPE {name} "))]
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            if sample.name == f"{name}_bucket" and wanted <= sample.labels.items():
                bound = sample.labels["le"]
                key = math.inf if bound == _INFINITY else float(bound)
                buckets[key] = buckets.get(key, 0.0) + sample.value
    return Histogram(buckets)


def read_counter(exposition: str, name: str, by: str) -> dict[str, int]:
    """Values of a counter by one label, summed over all others; empty when there is none.

    Args:
        exposition: the text of a /metrics page.
        name: of the counter, without ``_total``.
        by: the label to keep.
    """
    lines = [line for line in exposition.splitlines() if line.startswith((f"{name}_total", f"# TYPE {name}_total "))]
    totals: dict[str, int] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            value = sample.labels.get(by, "")
            totals[value] = totals.get(value, 0) + int(sample.value)
    return totals


@dataclass(frozen=True, slots=True)
class Latency:
    """Two quantiles in milliseconds."""

    p50: float
    p99: float


def latency_of(histogram: Histogram) -> Latency | None:
    """p50 and p99 of a histogram, None without observations."""
    p50, p99 = histogram.quantile(0.5), histogram.quantile(0.99)
    return None if p50 is None or p99 is None else Latency(round(p50 * 1000, 3), round(p99 * 1000, 3))


def latency_of_values(seconds: list[float]) -> Latency | None:
    """p50 and p99 of single observations (nearest rank), None without any."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    p50, p99 = (ordered[math.ceil(q * len(ordered)) - 1] for q in (0.5, 0.99))
    return Latency(round(p50 * 1000, 3), round(p99 * 1000, 3))
