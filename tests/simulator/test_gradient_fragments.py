"""FGD's measure of GPU fragmentation on nodes small enough to count by hand."""

import numpy as np
import pytest

from simulator.policies.gradient_fragments import FreeCapacity, PodMix, gradient_fragments
from simulator.trace import PodShape

WHOLE = PodShape(1000, 0, 1, 1000)
HALF = PodShape(1000, 0, 1, 500)


def node(cpu: int, *gpu: int, model: int = 0) -> FreeCapacity:
    return FreeCapacity(np.array([cpu]), np.array([0]), np.array([gpu]), np.array([model]))


def mix(**counts: int) -> PodMix:
    shapes = {"whole": WHOLE, "half": HALF}
    found = PodMix.of({shapes[name]: count for name, count in counts.items()}, ["T4"])
    assert found is not None
    return found


def test_there_is_no_mix_without_gpu_pods() -> None:
    assert PodMix.of({PodShape(1000, 0): 3}, []) is None


@pytest.mark.parametrize(
    ("gpu", "fragments"),
    [
        ((1000, 1000), 0),  # every shape fits on every device
        ((600, 400), 700),  # whole ones: 1000 of 1000, halves: 400; mean over both
        ((600, 600), 600),  # whole ones: 1200 of 1200, halves: 0
    ],
)
def test_fragments_of_fgd(gpu: tuple[int, ...], fragments: int) -> None:
    assert gradient_fragments(mix(whole=1, half=1), node(9000, *gpu))[0] == pytest.approx(fragments)


def test_fgd_does_not_see_cpu_that_runs_out_before_the_gpus() -> None:
    assert gradient_fragments(mix(whole=1), node(1000, 1000, 1000))[0] == 0


def test_all_is_a_fragment_where_the_model_is_not_allowed() -> None:
    picky = PodMix.of({PodShape(1000, 0, 1, 1000, ("A10",)): 1}, ["T4"])
    assert picky is not None

    assert gradient_fragments(picky, node(9000, 1000))[0] == 1000
