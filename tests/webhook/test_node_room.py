"""The largest nodes bound what is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.model.reasons import Reason
from tests.support.pods import GIB, admit, cluster, container, pod, resources
from webhook.node_room import bound_for, largest, shape_of

shapes = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)))


@given(shapes)
def test_the_largest_cover_all_and_none_of_them_covers_another(found: list[tuple[int, int]]) -> None:
    frontier = largest(found)

    assert set(frontier) <= set(found)
    for cpu, memory in found:
        if cpu > 0 and memory > 0:
            assert any(cpu <= c and memory <= m for c, m in frontier)
    assert not any(a != b and a[0] <= b[0] and a[1] <= b[1] for a in frontier for b in frontier)


@given(st.integers(0, 6), st.integers(0, 6), shapes)
def test_a_pod_is_cut_only_if_it_fits_nowhere(cpu: int, memory: int, found: list[tuple[int, int]]) -> None:
    bound = bound_for(cpu, memory, largest(found))

    fits = any(c >= cpu and m >= memory for c, m in largest(found))
    assert (bound is None) == (fits or not largest(found))


def test_nodes_of_one_type_are_one_shape() -> None:
    assert shape_of(3920, 15 * GIB + 12_345) == shape_of(3920, 15 * GIB + 999) == (3920, 15 * GIB)


@pytest.mark.parametrize(
    ("nodes", "requests"),
    [
        ((), {"cpu": "8", "memory": "32Gi"}),
        (((16_000, 64 * GIB),), {"cpu": "8", "memory": "32Gi"}),
        (((4_000, 64 * GIB),), {"cpu": "4", "memory": "32Gi"}),
        # 8/6 beside 32/20: the wide node is exceeded less
        (((6_000, 40 * GIB), (8_000, 20 * GIB)), {"cpu": "6", "memory": "32Gi"}),
    ],
)
def test_a_size_is_lowered_to_the_node_it_exceeds_least(
    nodes: tuple[tuple[int, int], ...], requests: dict[str, str]
) -> None:
    verdict = admit(pod(labels={"stowplan.dev/size": "4xl"}), cluster(node_shapes=nodes))

    assert resources(verdict)["requests"] == requests
    assert ("lowered to the largest node" in verdict.why) == (requests != {"cpu": "8", "memory": "32Gi"})


def test_side_containers_and_overhead_count_and_written_numbers_never_move() -> None:
    received = pod(
        container(),
        container("proxy", requests={"cpu": "1", "memory": "1Gi"}),
        labels={"stowplan.dev/size": "4xl"},
        overhead={"cpu": "250m"},
    )

    verdict = admit(received, cluster(node_shapes=((4_000, 64 * GIB),)))

    # 4 - 1 of the proxy - 250m of overhead
    assert resources(verdict)["requests"]["cpu"] == "2750m"
    assert resources(verdict, 1)["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert verdict.reason is Reason.NAMED_SIZE
