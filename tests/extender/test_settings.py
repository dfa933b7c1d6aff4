"""Settings and how a start with bad ones ends."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from extender.deciding.narrowing import Breadth
from extender.main import main
from extender.metrics import ExtenderMetrics
from extender.plan import EMPTY_PLAN, Plan, Unplaced
from extender.settings import ExtenderSettings
from stowplan.serving.settings import load_settings
from tests.support.extender import Clock, signature


def test_the_server_listens_on_loopback_unless_told() -> None:
    assert load_settings(ExtenderSettings, {}).host == "127.0.0.1"


def test_breadth_comes_from_the_settings() -> None:
    settings = load_settings(ExtenderSettings, {"STOWPLAN_OFFERS": "2"}, {"candidates": "4", "scores": "3"})

    assert settings.breadth == Breadth(offers=2, candidates=4, scores=3)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--strategy", "fastest"], "scoring strategy 'fastest'"),
        (["--channel", "bind"], "narrow, prioritize, both, off"),
        (["--retry-window", "-1"], "retry-window"),
        (["--supervise=false", "--kubeconfig", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_a_bad_setting_ends_the_start_with_its_name(
    flags: list[str], named: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extender.main.configure_logging", lambda _level: None)

    status = main(flags)

    assert status == 2
    assert named in capsys.readouterr().err


def test_metrics_of_the_plan() -> None:
    clock, registry = Clock(), CollectorRegistry()
    metrics = ExtenderMetrics(clock, registry)

    metrics.published(EMPTY_PLAN)
    before = registry.get_sample_value("stowplan_plan_age_seconds")
    unplaced = (Unplaced(signature("a"), 2, "r", 1), Unplaced(signature("b"), 3, "r", 1))
    metrics.published(
        Plan(
            generation=5,
            slots={signature(): {"n1": 4}},
            unplaced=unplaced,
            source="cp-sat",
            cost_micro_usd_per_hour=2_000_000,
            bound_micro_usd_per_hour=1_900_000,
        )
    )
    clock.now += 7

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert before == -1
    assert value("stowplan_plan_age_seconds") == 7
    assert value("stowplan_plan_cost_dollars_per_hour") == 2.0
    assert value("stowplan_plan_gap_ratio") == 0.05
    assert (value("stowplan_plan_placed_pods"), value("stowplan_plan_unplaced_pods")) == (4, 5)
    assert (value("stowplan_plan_source", source="cp-sat"), value("stowplan_plan_source", source="greedy")) == (1, 0)
