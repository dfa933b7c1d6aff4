"""The recorded traces behind `python -m perf.simulation` are what their README says."""

import itertools

import pytest

from perf.simulation.azure import JUDGED_FOLDS
from perf.simulation.traces import azure_pods, ec2_type, openb_nodes, openb_shapes, openb_trace
from simulator.engine import Replay
from simulator.policies import policy_named


def test_openb_has_the_published_size() -> None:
    assert len(openb_nodes()) == 1213
    assert sum(node.gpu_count for node in openb_nodes()) == 6212
    assert len(openb_shapes()) == 8152
    assert sum(shape.gpu_total for shape in openb_shapes()) == 6_086_800  # 6,086.8 GPUs


def test_the_protocol_is_seeded_and_cut_where_enough_has_been_asked_for() -> None:
    total = 6212 * 1000

    full, half = openb_trace(42, 1.0), openb_trace(42, 0.5)

    assert full == openb_trace(42, 1.0) != openb_trace(43, 1.0)
    assert full.pods[: len(half.pods)] == half.pods
    asked = sum(pod.shape.gpu_total for pod in half.pods)
    assert asked - half.pods[-1].shape.gpu_total < total // 2 <= asked


def test_folds_share_no_batch_and_judged_ones_were_not_tuned_on() -> None:
    owners = [{pod.owner for pod in azure_pods(fold)} for fold in (0, 3)]

    assert not owners[0] & owners[1]
    assert not {0, 1, 2} & set(JUDGED_FOLDS)
    pods = azure_pods(0)
    assert len(pods) == 21_264
    assert all(earlier.arrival_s <= later.arrival_s for earlier, later in itertools.pairwise(pods))


def test_a_node_leaves_less_for_pods_than_its_nominal_size() -> None:
    assert (ec2_type("m5.8xlarge").cpu_millicores, ec2_type("m5.8xlarge", nominal=True).cpu_millicores) == (
        31_850,
        32_000,
    )


@pytest.mark.slow
def test_ours_allocates_more_gpu_than_fgd_does() -> None:
    trace = openb_trace(1, 1.0)

    ours, theirs = (Replay(trace, policy_named(name)).run().allocated["gpu"] for name in ("stowplan", "fgd"))

    assert ours > theirs
    assert ours > 0.9523  # FGD's published mean at 100 % arrived
