"""What bounds the Azure comparison, and what a restart of the planner costs: the measurements themselves, in small."""

from __future__ import annotations

import dataclasses

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
