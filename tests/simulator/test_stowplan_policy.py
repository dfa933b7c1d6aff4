"""What our policy does that the baselines do not: departures align, shares fit, nodes empty."""

import random

from simulator.engine import Outcome, Replay
from simulator.policies import policy_named
from simulator.trace import NodeRow, PodRow, PodShape, Trace

GIB = 2**30
NODE = NodeRow("n", 4000, 64 * GIB, price_micro_usd_per_hour=100_000)


def run(trace: Trace, policy: str) -> Outcome:
    return Replay(trace, policy_named(policy)).run()


def recurring(seed: int) -> Trace:
    """Jobs of twenty minutes and services of a day, at random times and of equal size: only the owner tells them apart."""
    chance = random.Random(seed)  # noqa: S311 - a seeded trace, not a secret
    arrivals = sorted(chance.randrange(3 * 86_400) for _ in range(900))
    pods = []
    for index, arrival in enumerate(arrivals):
        owner, life = ("web", 86_400) if chance.random() < 0.1 else ("job", 1200)
        shape = PodShape(1000, GIB)
        pods.append(PodRow(index, f"p{index}", shape, owner, arrival_s=arrival, departure_s=arrival + life))
    return Trace((NODE,), tuple(pods), elastic=True, timed=True)


def test_what_is_learned_of_owners_saves_node_hours() -> None:
    traces = [recurring(seed) for seed in range(3)]

    spread, full, ours = (
        sum(run(trace, policy).node_hours_micro_usd for trace in traces)
        for policy in ("least-allocated", "most-allocated", "stowplan")
    )

    assert ours < full < spread


def test_true_departures_keep_jobs_off_a_node_that_would_be_empty_soon() -> None:
    pods = (
        PodRow(0, "web", PodShape(2000, GIB), "web", arrival_s=0, departure_s=36_000),
        PodRow(1, "filler", PodShape(2500, GIB), "filler", arrival_s=0, departure_s=600),
        PodRow(2, "long", PodShape(1000, GIB), "long", arrival_s=300, departure_s=36_000),
    )
    trace = Trace((NODE,), pods, elastic=True, timed=True)

    # most-allocated adds the long pod to the fuller node and keeps both for ten hours; with true departures one is gone after 600 s
    assert run(trace, "most-allocated").node_hours_micro_usd == 100_000 * 20
    assert run(trace, "stowplan-true-lifetimes").node_hours_micro_usd == 100_000 * 36_600 // 3600


def crowds_and_singles(seed: int) -> Trace:
    """Every half hour a crowd that stays for twenty minutes and, after it, two pods that stay for a day, all of one shape."""
    chance = random.Random(seed)  # noqa: S311 - a seeded trace, not a secret
    pods: list[PodRow] = []
    for arrival in range(0, 2 * 86_400, 1800):
        crowd = chance.choice([0, 20, 20])
        for owner, life in [(f"crowd-{arrival}", 1200)] * crowd + [(f"{n}-{arrival}", 86_400) for n in range(2)]:
            shape = PodShape(1000, GIB)
            pods.append(PodRow(len(pods), f"p{len(pods)}", shape, owner, arrival_s=arrival, departure_s=arrival + life))
    return Trace((NODE,), tuple(pods), elastic=True, timed=True)


def test_how_many_come_together_tells_who_stays_and_who_stays_goes_first() -> None:
    traces = [crowds_and_singles(seed) for seed in range(3)]

    one_by_one, together = (
        sum(run(trace, policy).node_hours_micro_usd for trace in traces) for policy in ("stowplan", "stowplan-batches")
    )

    # owners never recur and shapes are equal: only the size of the batch tells the pods apart
    assert together < 0.95 * one_by_one


def test_with_true_departures_those_that_arrive_together_are_placed_longest_first() -> None:
    pods = tuple(
        PodRow(i, f"p{i}", PodShape(cpu, GIB), f"o{i}", arrival_s=300, departure_s=300 + life)
        for i, (cpu, life) in enumerate([(3000, 36_000), (1000, 600), (1000, 36_000)])
    )
    trace = Trace((NODE,), pods, elastic=True, timed=True)

    # as they come the short pod takes the last core beside the first one, and the long one opens a node for ten hours
    assert run(trace, "stowplan-true-lifetimes").node_hours_micro_usd == 100_000 * 20
    # longest first it is the short one that opens a node, for ten minutes
    assert run(trace, "stowplan-batches-true-lifetimes").node_hours_micro_usd == 100_000 * 36_600 // 3600


def half_empty(workload_class: str = "") -> Trace:
    """Jobs that earn moves and teach lifetimes; then two nodes, of which one keeps a small pod after the large one has left; then ticks."""
    rows: list[tuple[str, int, int, int]] = [("job", 3900, 600 * i, 600 * i + 500) for i in range(30)]
    rows += [
        ("b", 2500, 18_000, 20_000),
        ("d", 800, 18_000, 200_000),
        ("a", 1500, 18_000, 200_000),
        ("c", 1000, 18_000, 200_000),
    ]
    rows += [("tick", 100, 21_000 + 3000 * i, 21_100 + 3000 * i) for i in range(40)]
    pods = tuple(
        PodRow(
            i, f"p{i}", PodShape(cpu, GIB), owner, "default", workload_class, arrival_s=arrival, departure_s=departure
        )
        for i, (owner, cpu, arrival, departure) in enumerate(rows)
    )
    return Trace((NODE,), pods, elastic=True, timed=True)


def test_a_node_with_little_on_it_is_emptied_into_another() -> None:
    still, moving = run(half_empty(), "stowplan"), run(half_empty(), "stowplan-moves")

    assert still.moves == 0
    assert 1 <= moving.moves <= moving.placed // 10
    assert moving.node_hours_micro_usd < still.node_hours_micro_usd


def test_pods_of_class_critical_stay_where_they_are() -> None:
    assert run(half_empty("critical"), "stowplan-moves").moves == 0


def test_ours_leaves_no_gpu_without_cpu() -> None:
    """Nodes with two GPUs: half of them have CPU for two hungry pods, the others for one, and for a light one beside it.

    Once the mix is known (32 hungry pods) the light ones must leave the room to the hungry ones that follow: then all GPUs are of use.
    """
    poor, rich = (
        NodeRow("poor", 5000, 64 * GIB, 2, "T4", price_micro_usd_per_hour=1_000_000),
        NodeRow("rich", 9000, 64 * GIB, 2, "T4", price_micro_usd_per_hour=1_000_000),
    )
    light, hungry = PodShape(1000, GIB, 1, 1000), PodShape(4000, GIB, 1, 1000)
    order = [hungry] * 32 + [light] * 48 + [hungry] * 112
    pods = tuple(PodRow(i, f"p{i}", shape) for i, shape in enumerate(order))
    trace = Trace((rich, poor) * 48, pods)

    assert run(trace, "stowplan").allocated["gpu"] == 1
    assert run(trace, "fgd").allocated["gpu"] < 1
