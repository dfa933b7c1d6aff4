"""The accounting of nodes and dollars."""

from hypothesis import given
from hypothesis import strategies as st

from demo.timeline import Point, Resident, Timeline, at, cost_between, lower_bound_usd_per_hour
from tests.support.demo import node

CHEAP = node("cheap", cores=4, gib=8, price=200_000)
DEAR = node("dear", cores=4, gib=32, price=400_000)
NODES = {"cheap": CHEAP, "dear": DEAR}


def resident(on: str, cores: int = 1) -> Resident:
    return Resident(on, cores * 1000, 2**30)


def test_a_node_costs_from_its_first_pod_to_its_last() -> None:
    timeline = Timeline(NODES)
    timeline.arrive("a", resident("cheap"), 10.0)
    timeline.arrive("b", resident("cheap"), 20.0)
    timeline.leave("a", 30.0)
    timeline.leave("b", 40.0)

    assert [(p.seconds, p.nodes, p.micro_usd_per_hour, p.pods) for p in timeline.points] == [
        (0.0, 0, 0, 0),
        (10.0, 1, 200_000, 1),
        (20.0, 1, 200_000, 2),
        (30.0, 1, 200_000, 1),
        (40.0, 0, 0, 0),
    ]


def test_repeated_and_unknown_events_change_nothing() -> None:
    timeline = Timeline(NODES)
    timeline.arrive("a", resident("cheap"), 1.0)
    timeline.arrive("a", resident("dear"), 2.0)
    timeline.leave("nobody", 3.0)

    assert len(timeline.points) == 2
    assert timeline.residents["a"].node == "cheap"


def test_a_node_without_a_known_price_counts_as_a_node() -> None:
    timeline = Timeline(NODES)
    timeline.arrive("a", resident("stranger"), 1.0)

    assert (timeline.points[-1].nodes, timeline.points[-1].micro_usd_per_hour) == (1, 0)


def test_the_mean_is_weighted_by_time_and_cut_at_the_window() -> None:
    points = [
        Point(0.0, 1, 1_000_000, 1, 1000, 2**30),
        Point(20.0, 2, 4_000_000, 2, 2000, 2**31),
    ]
    # Window 10 to 40 s: 10 s at $1 with 1 node, 20 s at $4 with 2 nodes: (10 + 80) / 30 = $3, (10 + 40) / 30 nodes.
    cost = cost_between(points, 10.0, 40.0, [CHEAP])

    assert cost.usd_per_hour == 3.0
    assert cost.nodes == 50 / 30
    assert cost.peak_nodes == 2


def test_an_empty_window_costs_nothing() -> None:
    assert cost_between([Point(0.0, 1, 1, 1, 1, 1)], 5.0, 5.0, [CHEAP]).usd_per_hour == 0.0


def test_the_point_in_force_is_the_last_one_not_after() -> None:
    points = [Point(0.0, 0, 0, 0, 0, 0), Point(5.0, 1, 1, 1, 1, 1)]

    assert at(points, 4.9) is points[0]
    assert at(points, 5.0) is points[1]


def test_the_lower_bound_fills_the_cheapest_nodes_first() -> None:
    # 6 cores: 4 on the cheap node for $0.20, 2 of 4 on the dear one for half of $0.40.
    assert lower_bound_usd_per_hour([DEAR, CHEAP], 6000, 0) == 0.4
    # 36 GiB: the dear node is the cheaper one per GiB (0.40 / 32 against 0.20 / 8): 32 GiB for $0.40, 4 of 8 for $0.10.
    assert lower_bound_usd_per_hour([DEAR, CHEAP], 0, 36 * 2**30) == 0.5
    # Both at once: the larger of the two.
    assert lower_bound_usd_per_hour([DEAR, CHEAP], 6000, 36 * 2**30) == 0.5
    assert lower_bound_usd_per_hour([DEAR, CHEAP], 0, 0) == 0.0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["cheap", "dear"]), st.booleans()), max_size=40))
def test_the_last_point_equals_a_count_from_scratch(events: list[tuple[str, str, bool]]) -> None:
    timeline = Timeline(NODES)
    for second, (uid, on, arrives) in enumerate(events):
        if arrives:
            timeline.arrive(uid, resident(on), float(second))
        else:
            timeline.leave(uid, float(second))
    used = {found.node for found in timeline.residents.values()}
    last = timeline.points[-1]

    assert last.nodes == len(used)
    assert last.micro_usd_per_hour == sum(NODES[name].price_micro_usd_per_hour for name in used)
    assert last.pods == len(timeline.residents)
    assert last.cpu_millicores == 1000 * last.pods


@given(
    placement=st.lists(st.tuples(st.sampled_from(["cheap", "dear"]), st.integers(1, 4)), min_size=1, max_size=2),
)
def test_no_packing_is_below_the_lower_bound(placement: list[tuple[str, int]]) -> None:
    packed = dict(placement)  # one load per node, up to its 4 cores and at 2 GiB a core: it fits
    cost = sum(NODES[name].price_micro_usd_per_hour for name in packed) / 1e6
    bound = lower_bound_usd_per_hour([CHEAP, DEAR], 1000 * sum(packed.values()), 2**31 * sum(packed.values()))

    assert bound <= cost + 1e-12
