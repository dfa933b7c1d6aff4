"""The node set."""

import pytest

from demo.cluster import MIX, ZONES, node_set
from demo.trace import load_sample
from demo.workload import peak_demand, workloads_of
from stowplan.catalog import load_catalog


@pytest.mark.parametrize(("cores", "gib"), [(0, 0), (500, 100), (50, 3000), (739, 1500)])
def test_the_set_offers_the_demand_with_head_room_and_not_a_node_more(cores: int, gib: int) -> None:
    nodes = node_set(cores * 1000, gib * 2**30, 150)

    assert sum(node.cpu_millicores for node in nodes) * 2 >= cores * 1000 * 3
    assert sum(node.memory_bytes for node in nodes) * 2 >= gib * 2**30 * 3
    rest = nodes[:-1]
    too_small = (
        sum(node.cpu_millicores for node in rest) * 2 < cores * 1000 * 3
        or sum(node.memory_bytes for node in rest) * 2 < gib * 2**30 * 3
    )
    assert too_small or len(nodes) == len(MIX)


def test_every_shape_comes_to_every_zone() -> None:
    nodes = node_set(2_000_000, 0)

    assert {(node.instance_type, node.zone) for node in nodes} == {(shape, zone) for shape in MIX for zone in ZONES}
    assert len({node.name for node in nodes}) == len(nodes)


def test_prices_are_the_catalog_s() -> None:
    for node in node_set(100_000, 0):
        assert node.price_micro_usd_per_hour == load_catalog()[node.instance_type].price_micro_usd_per_hour


def test_the_largest_pod_of_the_sample_fits_some_node() -> None:
    workloads = workloads_of(load_sample())
    nodes = node_set(*peak_demand(workloads))

    for workload in workloads:
        assert any(
            workload.cpu_millicores <= node.cpu_millicores and workload.memory_bytes <= node.memory_bytes
            for node in nodes
        )
