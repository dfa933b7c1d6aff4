"""The replay: what is counted, when nodes open and close, and what each baseline chooses."""

from collections.abc import Sequence

import numpy as np
import pytest

from simulator.bounds import lower_bound
from simulator.cluster import Cluster, Ints
from simulator.engine import Outcome, Replay
from simulator.policies import policy_named
from simulator.policies.policy import Policy, Scores
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from simulator.window import Window, window_of

GIB = 2**30
BIG = NodeRow("big", 4000, 8 * GIB, price_micro_usd_per_hour=400_000)
SMALL = NodeRow("small", 2000, 4 * GIB, price_micro_usd_per_hour=100_000)


def pod(index: int, cpu: int, arrival: int = 0, departure: int | None = None, **fields: object) -> PodRow:
    shape = PodShape(cpu, cpu * GIB // 1000)
    return PodRow(index, f"p{index}", shape, arrival_s=arrival, departure_s=departure, **fields)  # type: ignore[arg-type]  # fields of PodRow by name


def run(trace: Trace, policy: str = "most-allocated", window: Window | None = None) -> Outcome:
    return Replay(trace, policy_named(policy), window=window).run()


def test_without_times_the_nodes_in_use_at_the_end_are_paid_for_one_hour() -> None:
    outcome = run(Trace((BIG, SMALL), (pod(0, 1000), pod(1, 1000), pod(2, 4000), pod(3, 1000))))

    # most-allocated puts two of 1000 on the small node and 4000 on the big one; nothing is left for the last
    assert (outcome.placed, outcome.unplaced, outcome.nodes_used) == (3, 1, 2)
    assert outcome.cost_micro_usd_per_hour == outcome.node_hours_micro_usd == 500_000
    assert outcome.allocated["cpu"] == pytest.approx(6000 / 6000)


def test_an_elastic_node_is_paid_from_its_first_pod_to_its_last() -> None:
    pods = (pod(0, 1000, 0, 3600), pod(1, 1000, 1800, 7200), pod(2, 1000, 9000, 10800))

    outcome = run(Trace((SMALL,), pods, elastic=True, timed=True))

    # open from 0 to 7200 s and again from 9000 to 10800 s: 2.5 hours of 3
    assert outcome.node_hours_micro_usd == 250_000
    assert outcome.cost_micro_usd_per_hour == 250_000 // 3
    assert outcome.nodes_used == 1


def test_only_the_window_is_measured() -> None:
    pods = (pod(0, 1000, 0, 7200), pod(1, 1000, 10800, 14400))
    trace = Trace((SMALL,), pods, elastic=True, timed=True)

    outcome = run(trace, window=window_of(trace, warm_up_s=3600, until_s=9000))

    assert outcome.node_hours_micro_usd == 100_000  # of 3600 to 9000 s, the node stands until 7200 s


def test_a_warm_up_longer_than_the_trace_is_an_error() -> None:
    trace = Trace((SMALL,), (pod(0, 1, 0, 10),), elastic=True, timed=True)

    with pytest.raises(ValueError, match="shorten the warm-up"):
        window_of(trace, warm_up_s=10)


def test_the_type_on_which_the_pod_costs_least_opens() -> None:
    outcome = run(Trace((BIG, SMALL), (pod(0, 1000), pod(1, 3000)), elastic=True))

    # two fit on small for 100,000, four on big for 400,000; the second pod fits on big only
    assert outcome.cost_micro_usd_per_hour == 500_000


def test_pods_of_an_owner_share_a_node_only_up_to_their_limit() -> None:
    pods = tuple(pod(i, 100, owner="web", max_per_node=1) for i in range(3))

    outcome = run(Trace((BIG, SMALL), pods))

    assert (outcome.placed, outcome.unplaced, outcome.nodes_used) == (2, 1, 2)


def test_a_share_needs_one_device_that_holds_it() -> None:
    node = NodeRow("g", 8000, 8 * GIB, gpu_count=2, gpu_model="T4", price_micro_usd_per_hour=1)
    shares = [PodRow(i, f"p{i}", PodShape(1, 1, 1, milli)) for i, milli in enumerate((600, 600, 500, 400))]

    outcome = run(Trace((node,), tuple(shares)))

    # 600 on each device leaves 400 and 400: 800 in sum, but not 500 on one
    assert (outcome.placed, outcome.unplaced) == (3, 1)
    assert outcome.allocated["gpu"] == pytest.approx(1600 / 2000)


def test_a_model_is_respected() -> None:
    node = NodeRow("g", 8000, 8 * GIB, gpu_count=2, gpu_model="T4", price_micro_usd_per_hour=1)
    pods = (PodRow(0, "a", PodShape(1, 1, 1, 1000, ("A10",))), PodRow(1, "b", PodShape(1, 1, 1, 1000, ("A10", "T4"))))

    assert run(Trace((node,), pods)).placed == 1


@pytest.mark.parametrize(("policy", "nodes"), [("least-allocated", 2), ("most-allocated", 1), ("stowplan", 1)])
def test_least_allocated_spreads_and_the_others_fill(policy: str, nodes: int) -> None:
    outcome = run(Trace((BIG, BIG), (pod(0, 1000), pod(1, 1000))), policy)

    assert outcome.nodes_used == nodes


def test_first_fit_decreasing_sorts_what_arrives_together() -> None:
    pods = (pod(0, 1000), pod(1, 1000), pod(2, 3000), pod(3, 3000))

    assert run(Trace((BIG, BIG), pods), "first-fit-decreasing").unplaced == 0
    assert run(Trace((BIG, BIG), pods), "most-allocated").unplaced == 1  # the small ones share a node


def test_random_follows_its_seed() -> None:
    trace = Trace((BIG,) * 8, tuple(pod(i, 1000) for i in range(8)))

    used = {seed: Replay(trace, policy_named("random"), seed=seed).run().nodes_used for seed in range(6)}

    assert used == {seed: Replay(trace, policy_named("random"), seed=seed).run().nodes_used for seed in range(6)}
    assert len(set(used.values())) > 1


def test_the_bound_takes_the_scarcest_resource_and_the_cheapest_nodes() -> None:
    trace = Trace((BIG, SMALL), (pod(0, 3000),))

    bound = lower_bound(trace, window_of(trace))

    # the small node is cheaper per core: all 2000 of it, and a quarter of the big one
    assert bound.cost_micro_usd_per_hour == 100_000 + 100_000
    assert bound.nodes_used == 1


def test_an_unknown_policy_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="choose from stowplan"):
        policy_named("nobody")


class Exchanging(Policy):
    """Puts pods where they fit, in turn, and lets the two of one moment change places."""

    def __init__(self) -> None:
        self.where: dict[int, int] = {}

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """All nodes alike."""
        del cluster, pod, now
        return np.zeros(len(nodes))

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """Note the node."""
        del cluster, now
        self.where[pod.index] = slot

    def moved(self, cluster: Cluster, pod: PodRow, source: int, target: int, now: int) -> None:
        """Note the node."""
        del cluster, now
        assert self.where[pod.index] == source
        self.where[pod.index] = target

    def rearranged(self, cluster: Cluster, pods: Sequence[PodRow], now: int) -> Sequence[tuple[PodRow, int]]:
        """The nodes in reverse."""
        del cluster, now
        targets = [self.where[pod.index] for pod in reversed(pods)]
        return list(zip(pods, targets, strict=True))


def test_pods_of_one_moment_change_places_before_they_start_and_that_is_no_move() -> None:
    policy = Exchanging()
    pods = (pod(0, 3000, 0, 3600), pod(1, 4000, 0, 7200))

    outcome = Replay(Trace((BIG,), pods, elastic=True, timed=True), policy).run()

    # each alone on its node, so both nodes are empty for an instant and stay open; one node for an hour and one for two
    assert policy.where == {0: 1, 1: 0}
    assert (outcome.moves, outcome.placed, outcome.nodes_used) == (0, 2, 2)
    assert outcome.node_hours_micro_usd == 3 * 400_000


def test_a_node_that_its_only_pod_leaves_before_it_starts_is_not_paid() -> None:
    class Gathering(Exchanging):
        def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
            del pod, now
            return -cluster.residents[nodes].astype(np.float64)

        def rearranged(self, cluster: Cluster, pods: Sequence[PodRow], now: int) -> Sequence[tuple[PodRow, int]]:
            del cluster, now
            return [(pods[1], self.where[pods[0].index])]

    policy = Gathering()
    pods = (pod(0, 2000, 0, 3600), pod(1, 1000, 0, 3600))

    outcome = Replay(Trace((BIG, BIG), pods, timed=True), policy).run()

    assert policy.where == {0: 0, 1: 0}
    assert (outcome.nodes_used, outcome.node_hours_micro_usd) == (1, 400_000)
