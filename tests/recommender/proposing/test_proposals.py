"""Proposals: what is compared, what it is worth, how rows are ordered, and how they are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from recommender.proposing.proposal_json import report
from recommender.proposing.proposal_table import legend, table
from recommender.proposing.proposals import InForce, Proposal, Sort, ordered, propose, totals
from recommender.sizing.prices import Prices
from stowplan.model.profile import ClassRecommendation, Regression, Risk, Signal
from stowplan.model.workload_class import Cost
from tests.support.profiles import GIB, container, profile

PRICES = Prices(core=40_000.0, gib=5_000.0)
NOW = 1_800_000_000
FOUR = InForce(({"app": {"cpu": 4000, "memory": 8 * GIB}},) * 3)


def proposed(**of: Any) -> Proposal:
    return propose(profile(**of), FOUR, PRICES, NOW)


def test_the_saving_is_that_of_all_pods_at_the_price_table() -> None:
    found = propose(profile(), FOUR, PRICES, NOW)
    # per pod (4 - 0.75) cores x 40,000 + (8 - 2) GiB x 5,000 = 130,000 + 30,000; three pods
    assert found.saving_micro_usd_per_hour == 3 * 160_000
    assert (found.current("cpu"), found.recommended("cpu"), found.change("cpu")) == (4000, 750, -3 * 3250)


def test_pods_that_differ_are_priced_one_by_one_and_shown_by_the_most_common() -> None:
    pods = InForce((*FOUR.pods, {"app": {"cpu": 1000, "memory": 8 * GIB}}))
    found = propose(profile(), pods, PRICES, NOW)
    # three times (3.25 cores) and once 0.25 cores, each 6 GiB
    assert found.saving_micro_usd_per_hour == 3 * 160_000 + 10_000 + 30_000
    assert found.current("cpu") == 4000
    assert InForce(({"app": {"cpu": 1}}, {"app": {"cpu": 2}})).typical("app") == {"cpu": 2}, "the larger of equals"


def test_init_containers_that_end_are_in_no_sum() -> None:
    pods = InForce(tuple({**pod, "migrate": {"cpu": 9000, "memory": GIB}} for pod in FOUR.pods), frozenset({"migrate"}))
    of = profile("web", container(750, 2 * GIB), container(8000, 2 * GIB, name="migrate"))
    found = propose(of, pods, PRICES, NOW)

    assert (found.current("cpu"), found.recommended("cpu")) == (4000, 750)
    assert found.saving_micro_usd_per_hour == 3 * 160_000
    assert [target.name for target in found.targets] == ["app", "migrate"]


def test_what_is_not_requested_now_costs_nothing_now() -> None:
    found = propose(profile(), InForce(({"app": {"memory": 8 * GIB}},)), PRICES, NOW)
    assert found.saving_micro_usd_per_hour == 6 * 5_000
    assert found.current("cpu") == 0


def test_more_than_before_is_a_negative_saving() -> None:
    found = propose(profile("db", container(5000, 8 * GIB)), FOUR, PRICES, NOW)
    assert found.saving_micro_usd_per_hour == -3 * 40_000


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_what_ends_by_itself_has_no_monthly_saving(kind: str) -> None:
    assert proposed(kind=kind).saving_micro_usd_per_hour is None


def test_without_pods_the_saving_is_the_one_that_the_profile_states() -> None:
    stated = propose(profile("x", container(1, 1, saving=500), replicas=4), None, PRICES, NOW)
    assert (stated.saving_micro_usd_per_hour, stated.current("cpu"), stated.replicas) == (2000, None, 4)
    assert propose(profile(), None, PRICES, NOW).saving_micro_usd_per_hour is None


def test_another_class_can_be_tried_if_the_profile_holds_it() -> None:
    dev = ClassRecommendation("dev", Cost.SAVE, (container(100, GIB),))
    of = profile("x", others=(dev,))
    assert propose(of, FOUR, PRICES, NOW, under="dev").recommended("cpu") == 100
    missing = propose(of, FOUR, PRICES, NOW, under="batch")
    assert (missing.recommendation, missing.recommended("cpu"), missing.saving_micro_usd_per_hour) == (None, None, None)


def test_a_class_without_a_recommendation_falls_back_to_the_first_one() -> None:
    of = profile(wclass="")
    assert propose(of, FOUR, PRICES, NOW).recommended("cpu") == 750


def test_the_risk_used_is_the_worst_of_the_three() -> None:
    # 15,000 / 60,000 overrun, 20,000 / 80,000 unmet, 50,000 / 40,000 breach days
    assert proposed(achieved=Risk(15_000, 20_000, 50_000)).risk_used == pytest.approx(1.25)
    assert proposed().risk_used is None


def test_a_step_back_is_over_when_its_time_is() -> None:
    halt = Regression(Signal.OOM_RATE, NOW - 10, NOW + 10, "rose")
    assert propose(profile(halt=halt), FOUR, PRICES, NOW).halt == halt
    assert propose(profile(halt=halt), FOUR, PRICES, NOW + 10).halt is None


rows = st.builds(
    lambda name, cpu, now, risk: propose(profile(name, container(cpu, GIB), achieved=risk), now, PRICES, NOW),
    st.text("abc", min_size=1, max_size=4),
    st.integers(1, 8000),
    st.one_of(st.none(), st.just(FOUR)),
    st.one_of(st.none(), st.builds(Risk, st.integers(0, 99999), st.just(0), st.just(0))),
)


@given(st.lists(rows, max_size=8), st.sampled_from(Sort))
def test_rows_are_ordered_with_the_unknown_last_and_the_order_of_input_does_not_matter(
    of: list[Proposal], by: Sort
) -> None:
    found = ordered(of, by)
    keys: dict[Sort, Callable[[Proposal], float | None]] = {
        Sort.SAVING: lambda p: p.saving_micro_usd_per_hour,
        Sort.CPU: lambda p: abs(p.change("cpu")),
        Sort.MEMORY: lambda p: abs(p.change("memory")),
        Sort.RISK: lambda p: p.risk_used,
        Sort.NAME: lambda _: 0,
    }
    key = keys[by]
    values = [key(p) for p in found]
    known = [value for value in values if value is not None]
    assert values[: len(known)] == sorted(known, reverse=True)
    assert [key(p) for p in ordered(of[::-1], by)] == values


@given(st.lists(rows, max_size=8))
def test_totals_are_the_sums_of_the_rows(of: list[Proposal]) -> None:
    sums = totals(of)
    assert sums["saving_micro_usd_per_month"] == 730 * sum(p.saving_micro_usd_per_hour or 0 for p in of)
    assert sums["recommended"]["cpu_millicores"] - sums["current"]["cpu_millicores"] == sum(p.change("cpu") for p in of)
    json.dumps(report(of, PRICES, ["one"]))


def test_the_json_has_every_key_of_the_contract() -> None:
    halt = Regression(Signal.RESTARTS, NOW, NOW + 60, "rose", 2)
    found = report([proposed(achieved=Risk(15_000, 0, 0), halt=halt)], PRICES, ["shop/x: is wrong"])
    (workload,) = found.pop("workloads")
    assert found == {
        "schema_version": 1,
        "prices": {"core_micro_usd_per_hour": 40_000, "gib_micro_usd_per_hour": 5_000, "hours_per_month": 730},
        "totals": {
            "workloads": 1,
            "compared": 1,
            "priced": 1,
            "halted": 1,
            "over_declared_risk": 0,
            "current": {"cpu_millicores": 12_000, "memory_bytes": 24 * GIB},
            "recommended": {"cpu_millicores": 2_250, "memory_bytes": 6 * GIB},
            "saving_micro_usd_per_month": 480_000 * 730,
        },
        "problems": ["shop/x: is wrong"],
    }
    assert workload == {
        "namespace": "shop",
        "kind": "Deployment",
        "name": "checkout",
        "class": "standard",
        "observed_class": "standard",
        "cost": "balanced",
        "mode": "Apply",
        "replicas": 3,
        "current": {"cpu_millicores": 4000, "memory_bytes": 8 * GIB},
        "recommended": {"cpu_millicores": 750, "memory_bytes": 2 * GIB},
        "saving_micro_usd_per_month": 480_000 * 730,
        "confidence": "high",
        "risk": {
            "declared": {"overrun_ppm": 60_000, "unmet_ppm": 80_000, "breach_ppm": 40_000},
            "achieved": {"overrun_ppm": 15_000, "unmet_ppm": 0, "breach_ppm": 0},
            "days": 14,
            "used_percent": 25,
        },
        "halted": {
            "signal": "Restarts",
            "since": "2027-01-15T08:00:00Z",
            "until": "2027-01-15T08:01:00Z",
            "step": 2,
            "message": "rose",
        },
        "updated_at": "2027-01-15T08:00:00Z",
        "history_hours": 480,
        "containers": [
            {
                "name": "app",
                "current": {"cpu_millicores": 4000, "memory_bytes": 8 * GIB},
                "recommended": {"cpu_millicores": 750, "memory_bytes": 2 * GIB},
                "lower": {"cpu_millicores": 375, "memory_bytes": GIB},
                "upper": {"cpu_millicores": 1500, "memory_bytes": 4 * GIB},
                "confidence": "high",
                "source": "usage",
                "formula": "as a person would check it",
                "samples": 2000,
                "days": 20,
                "clamps": ["cpu step"],
            }
        ],
    }


def test_what_is_not_known_is_null() -> None:
    (workload,) = report([propose(profile(), None, PRICES, NOW, under="dev")], PRICES, [])["workloads"]
    unknown = {key for key, value in workload.items() if value is None}
    assert unknown == {
        "class",
        "cost",
        "current",
        "recommended",
        "saving_micro_usd_per_month",
        "confidence",
        "risk",
        "halted",
    }


def printed(of: list[Proposal], width: int) -> str:
    console = Console(width=width, record=True, file=None, color_system=None)
    with console.capture() as capture:
        console.print(table(of, width, with_namespace=True))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_the_table_fits_its_terminal_and_no_number_is_cut(width: int) -> None:
    long = "a-workload-whose-name-is-longer-than-anybody-could-wish-for-in-a-table"
    of = [proposed(name=long, achieved=Risk(90_000, 0, 0)), proposed(name="checkout")]
    text = printed(of, width)
    assert max(map(len, text.splitlines())) <= width
    for number in ("4->750m", "8Gi->2Gi", "350.40", "700.80", "150%", "24.0->4.5"):
        assert number in text  # 480,000 x 730 / 1e6 = 350.40
    assert ("balanced" in text) == (width >= 120)
    assert "…" in text.splitlines()[1] or width >= 160


def test_unknown_amounts_and_halts_are_told_apart_from_zero() -> None:
    halt = Regression(Signal.OOM_RATE, NOW, NOW + 60, "OOM kills rose from 0 to 16")
    of = [propose(profile(halt=halt), None, PRICES, NOW), propose(profile("y"), InForce(({"app": {}},)), PRICES, NOW)]
    text = printed(of, 120)
    assert "?->750m" in text
    assert "0->750m" in text
    assert "halted" in text
    assert "halted: shop/Deployment/checkout: OOM kills rose from 0 to 16" in legend(of)
    assert "1 without a saving" in legend(of)
