"""The live extender places as the simulator's policy does: the decider, fed with watch events and values, against `stowplan`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import groupby

import pytest

from perf.simulation.live import LiveBatches, LiveExtender, LiveGpus
from perf.simulation.traces import azure_pods, ec2_type, openb_nodes, openb_trace
from simulator.cluster import Cluster
from simulator.engine import Outcome, Replay
from simulator.policies import policy_named
from simulator.policies.policy import Policy
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from simulator.window import Window
from tests.support.recorded import demo_trace


def placements(trace: Trace, policy: Policy, window: Window | None = None) -> tuple[list[tuple[int, int]], Outcome]:
    """Pod and slot in order of placement, and the outcome."""
    found: list[tuple[int, int]] = []
    inner = policy.placed

    def placed(cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        found.append((pod.index, slot))
        inner(cluster, pod, slot, now)

    policy.placed = placed  # type: ignore[method-assign]  # an observer of one instance
    outcome = Replay(trace, policy, window=window, moves=False).run()
    return found, outcome


def azure(pods: int, *, elastic: bool) -> Trace:
    kind = ec2_type("m5.8xlarge")
    nodes = (kind,) if elastic else tuple(dataclasses.replace(kind, name=f"node-{n}") for n in range(60))
    return Trace(nodes, azure_pods(3)[:pods], elastic=elastic, timed=True)


@pytest.mark.parametrize("elastic", [True, False])
def test_placements_on_the_azure_sample_are_those_of_the_simulated_policy(*, elastic: bool) -> None:
    trace = azure(1200, elastic=elastic)
    live = LiveExtender()

    simulated, live_placements = placements(trace, policy_named("stowplan"))[0], placements(trace, live)[0]

    assert live.failures == []
    assert live_placements == simulated
    assert any(pod.departure_s is not None and pod.departure_s < trace.pods[-1].arrival_s for pod in trace.pods)


def test_placements_on_the_demos_trace_are_those_of_the_simulated_policy_and_cost_less() -> None:
    trace, window = demo_trace()
    live = LiveExtender()

    simulated, of_policy = placements(trace, policy_named("stowplan"), window)
    live_placements, of_live = placements(trace, live, window)
    full = placements(trace, policy_named("most-allocated"), window)[1]

    assert live.failures == []
    assert live_placements == simulated
    assert of_live.cost_micro_usd_per_hour == of_policy.cost_micro_usd_per_hour < full.cost_micro_usd_per_hour


def test_mixed_types_open_as_in_the_simulation() -> None:
    """With several types and prices the order of opening matters as well."""
    kinds = [ec2_type(name) for name in ("m5.2xlarge", "r5.4xlarge", "m5.8xlarge", "c5.4xlarge")]
    nodes = tuple(NodeRow(f"node-{n}", *_size(kinds[n % 4])) for n in range(120))
    trace = Trace(nodes, azure_pods(4)[:800], timed=True)

    assert placements(trace, LiveExtender())[0] == placements(trace, policy_named("stowplan"))[0]


@pytest.mark.parametrize("shared", [False, True])
def test_gpus_are_kept_usable_as_in_the_simulation(*, shared: bool) -> None:
    """On a slice of openb that runs full: pods that ask for whole GPUs, or for shares of one.

    Of shares the extender does not know the device, so it takes them to be packed tightly; what is allocated in the end differs little.
    """
    chosen = [
        pod
        for pod in openb_trace(42, 1.0).pods
        if pod.shape.gpu_count == 0 or (pod.shape.gpu_count == 1 if shared else pod.shape.gpu_milli == 1000)
    ]
    trace = Trace(openb_nodes()[::20], tuple(chosen[:600]))
    live = LiveGpus(shared=shared)

    (simulated, of_policy), (live_placements, of_live) = (
        placements(trace, policy_named("stowplan")),
        placements(trace, live),
    )

    assert live.failures == []
    assert of_policy.allocated["gpu"] > 0.95
    if shared:
        assert of_live.allocated["gpu"] > of_policy.allocated["gpu"] - 0.01
    else:
        assert live_placements == simulated


def by_moment(trace: Trace, policy: Policy) -> list[Counter[tuple[int, str, PodShape, int]]]:
    """Arrival, owner, shape and slot of the pods of each moment, once all of them are placed: pods that are alike may change places."""
    where: dict[int, int] = {}
    placed, moved = policy.placed, policy.moved

    def on_placed(cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        where[pod.index] = slot
        placed(cluster, pod, slot, now)

    def on_moved(cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        where[pod.index] = target
        moved(cluster, pod, source, target, now)

    policy.placed, policy.moved = on_placed, on_moved  # type: ignore[method-assign]  # observers of one instance
    Replay(trace, policy, moves=False).run()
    return [
        Counter((now, pod.owner, pod.shape, where[pod.index]) for pod in pods)
        for now, pods in groupby(trace.pods, key=lambda pod: pod.arrival_s)
    ]


def test_pods_that_wait_together_are_planned_as_the_simulated_policy_places_them() -> None:
    # the next batch is one for which the plan has a packing, largest pods first, that opens fewer nodes: it takes that
    trace = azure(1036, elastic=False)
    live = LiveBatches()

    simulated, live_placements = by_moment(trace, policy_named("stowplan-batches")), by_moment(trace, live)

    assert live.failures == []
    assert live_placements == simulated


def _size(kind: NodeRow) -> tuple[int, int, int, str, str, int]:
    return (kind.cpu_millicores, kind.memory_bytes, 0, "", "", kind.price_micro_usd_per_hour)
