"""What is counted about sources and the intake."""

from prometheus_client import CollectorRegistry

from recommender.sources.intake import Intake
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import UsageSample


def test_admissions_are_counted_by_source_and_reason() -> None:
    registry = CollectorRegistry()
    counters = SourceMetrics(registry, clock=lambda: 1000.0).of("prometheus")
    sample = UsageSample("shop", "web-0", "app", 900, 60, 1.0, 1.0)
    counters.delivered([sample, sample])
    counters.admitted(Intake().offer([sample, sample], 1000.0))
    of = {"source": "prometheus"}
    assert registry.get_sample_value("stowplan_usage_samples_accepted_total", of) == 1
    assert registry.get_sample_value("stowplan_usage_samples_dropped_total", {**of, "reason": "covered"}) == 1
    assert registry.get_sample_value("stowplan_usage_samples_dropped_total", {**of, "reason": "late"}) == 0
    assert registry.get_sample_value("stowplan_usage_newest_sample_age_seconds", of) == 100
