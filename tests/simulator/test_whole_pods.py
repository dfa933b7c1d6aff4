"""The bound of pods that cannot be cut, against bins counted by hand."""

import pytest

from simulator.bounds import lower_bound
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from simulator.whole_pods import whole_pod_bound
from simulator.window import Window

GIB = 2**30
HOUR = Window(0, 3600)


def elastic(cpu: int, pods: list[tuple[int, int]], *, memory_gib: int = 64, max_pods: int = 110) -> Trace:
    """One type of node at a dollar; pods by CPU and GiB, all there from 0 to an hour."""
    node = NodeRow("n", cpu, memory_gib * GIB, price_micro_usd_per_hour=1_000_000, max_pods=max_pods)
    rows = tuple(
        PodRow(index, f"p{index}", PodShape(asked, gib * GIB), departure_s=3600)
        for index, (asked, gib) in enumerate(pods)
    )
    return Trace((node,), rows, elastic=True, timed=True)


@pytest.mark.parametrize(
    ("trace", "nodes"),
    [
        # two of 2000 do not share 3900, though six cores would be less than two nodes' worth
        (elastic(3900, [(2000, 1)] * 3), 3),
        # two whole cores are all that 2900 holds: ten pods take five nodes, where 3.4 would have the capacity
        (elastic(2900, [(1000, 1)] * 10), 5),
        # three of 8000 and seven of 1000 fill 31850 as far as whole cores can: 62 cores are exactly two nodes
        (elastic(31_850, [(8000, 1)] * 6 + [(1000, 1)] * 14), 2),
        (elastic(31_850, [(8000, 1)] * 6 + [(1000, 1)] * 15), 3),
        # memory: 40 of 64 GiB are more than half
        (elastic(8000, [(100, 40)] * 4), 4),
        # five pod slots
        (elastic(8000, [(10, 0)] * 11, max_pods=5), 3),
    ],
)
def test_nodes_that_are_needed_at_once(trace: Trace, nodes: int) -> None:
    bound = whole_pod_bound(trace, HOUR)

    assert bound.nodes_used == nodes
    assert bound.node_hours_micro_usd == bound.cost_micro_usd_per_hour == 1_000_000 * nodes


def test_each_moment_counts_with_its_length() -> None:
    node = NodeRow("n", 3900, 64 * GIB, price_micro_usd_per_hour=1_000_000)
    shape = PodShape(2000, GIB)
    pods = (
        PodRow(0, "a", shape, arrival_s=0, departure_s=5400),
        PodRow(1, "b", shape, arrival_s=1800, departure_s=3600),
    )
    trace = Trace((node,), pods, elastic=True, timed=True)

    # one node for 1800 s, two for 1800 s, one for 1800 s, none for 1800 s: two node-hours of the two hours
    assert whole_pod_bound(trace, Window(0, 7200)).node_hours_micro_usd == 2_000_000
    assert whole_pod_bound(trace, Window(1800, 3600)).node_hours_micro_usd == 1_000_000
    # cut into pieces, both fit on 4000 / 3900 of a node
    assert lower_bound(trace, Window(1800, 3600)).node_hours_micro_usd == 1_000_000 * 4000 // 3900 // 2


@pytest.mark.parametrize("elastic_nodes", [True, False])
def test_several_types_or_fixed_nodes_are_refused(*, elastic_nodes: bool) -> None:
    node = NodeRow("n", 1000, GIB)
    trace = Trace((node, node) if elastic_nodes else (node,), (), elastic=elastic_nodes)

    with pytest.raises(ValueError, match="one type"):
        whole_pod_bound(trace, HOUR)
