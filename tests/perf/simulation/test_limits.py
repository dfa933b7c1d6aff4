"""What bounds the Azure comparison, and what a restart of the planner costs: the measurements themselves, in small."""

from __future__ import annotations

import dataclasses

import pytest

from perf.simulation import azure
from perf.simulation.restarts import RestartingStowplan
from simulator.engine import Outcome, Replay
from simulator.policies import policy_named
from simulator.policies.policy import Policy


def test_no_packing_with_hindsight_is_below_whole_pods() -> None:
    found = azure.limits((0,), rounds=3)["limits"]

    whole, built, rearranged = (
        found[name]["mean"] for name in ("whole pods", "hindsight, longest first", "hindsight, rearranged")
    )

    # 31.85 cores hold 31 whole ones: 31.85 / 31 over the bound that cuts pods, and nodes are whole as well
    assert 31.85 / 31 < whole < rearranged <= built


def test_moves_are_compared_on_the_same_arrivals_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = azure.elastic_trace(0)
    monkeypatch.setattr(azure, "elastic_trace", lambda _: dataclasses.replace(whole, pods=whole.pods[:7000]))

    found = azure.moves((0,))["elastic"]

    assert {values["pods"] for values in found.values()} == {7000}
    assert (found["most-allocated"]["moves"], found["no moves"]["moves"]) == (0, 0)
    # one for every ten pods that came, and those that need not wait for a budget are the most
    assert 0 < found["no waiting for budgets"]["moves"] < found["moves"]["moves"] <= 700
    assert 1 < found["moves"]["mean"] < found["no waiting for budgets"]["mean"] < found["no moves"]["mean"]


def test_a_planner_that_restarts_places_everything_and_knows_the_pods_that_stand() -> None:
    whole = azure.elastic_trace(0)
    trace = dataclasses.replace(whole, pods=whole.pods[:600])
    restarting = RestartingStowplan(1800)

    def replay(policy: Policy) -> Outcome:
        return dataclasses.replace(Replay(trace, policy).run(), seconds=0.0)

    outcome = replay(restarting)

    assert restarting.restarts > 3
    assert outcome.placed == 600
    assert outcome.node_hours_micro_usd != replay(policy_named("stowplan")).node_hours_micro_usd
    assert replay(RestartingStowplan(10**9)) == replay(policy_named("stowplan"))
