"""Which container gets which size, and why. Sizes: m/general = 500m and 2Gi, xs = 100m and 384Mi; standard's memory limit is 125 %."""

from dataclasses import replace
from typing import Any

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.reasons import Outcome, Reason
from stowplan.model.workload_class import Explicit
from tests.support.pods import admit, cluster, container, pod, resources

_COLD = {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2560Mi"}}
_XS = {"requests": {"cpu": "100m", "memory": "384Mi"}, "limits": {"memory": "480Mi"}}


def _explicit(mode: Explicit) -> Any:
    return cluster(classes={**BUILTIN_CLASSES, "standard": replace(BUILTIN_CLASSES["standard"], explicit=mode)})


def test_a_pod_without_numbers_gets_the_cold_start_size_of_its_class() -> None:
    verdict = admit(pod())

    assert (verdict.outcome, verdict.reason) == (Outcome.APPLIED, Reason.COLD_START)
    assert resources(verdict) == _COLD


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # batch starts at m/cpu (500m, 1Gi); limits 200 % and 125 %
        (
            {"class": "batch"},
            {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1280Mi"}},
        ),
        # dev starts at s/general (250m, 1Gi); limits 200 % and 150 %
        (
            {"class": "dev"},
            {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "500m", "memory": "1536Mi"}},
        ),
        # critical's memory limit is its request
        ({"class": "critical"}, {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}),
        ({"shape": "memory"}, {"requests": {"cpu": "500m", "memory": "4Gi"}, "limits": {"memory": "5Gi"}}),
        # example 3 of the proposal: batch, 2xl/cpu = 4 CPU and 8Gi
        (
            {"class": "batch", "size": "2xl", "shape": "cpu"},
            {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "8", "memory": "10Gi"}},
        ),
        # 8xl/memory would be 128Gi; the class allows 64Gi a container
        (
            {"size": "8xl", "shape": "memory"},
            {"requests": {"cpu": "16", "memory": "64Gi"}, "limits": {"memory": "80Gi"}},
        ),
    ],
)
def test_classes_sizes_and_shapes(labels: dict[str, str], expected: dict[str, Any]) -> None:
    verdict = admit(pod(labels={f"stowplan.dev/{key}": value for key, value in labels.items()}))

    assert resources(verdict) == expected


def test_side_containers_without_numbers_get_xs_and_ordinary_init_containers_nothing() -> None:
    init = [container("mesh", restartPolicy="Always"), container("migrate")]

    verdict = admit(pod(container(), container("proxy"), init=init))

    assert resources(verdict, 1) == _XS
    assert resources(verdict, 0, "initContainers") == _XS
    assert resources(verdict, 1, "initContainers") == {}


def test_written_numbers_stand_and_get_no_limit_of_ours() -> None:
    own = {"cpu": "3", "memory": "7Gi"}

    verdict = admit(pod(container(requests=own)))

    assert verdict.reason is Reason.EXPLICIT_RESPECTED
    assert resources(verdict) == {"requests": own}
    assert "keeps its own 3 CPU and 7Gi memory" in verdict.why


def test_one_written_resource_stands_and_the_other_is_sized() -> None:
    verdict = admit(pod(container(requests={"cpu": "3"})))

    assert resources(verdict) == {"requests": {"cpu": "3", "memory": "2Gi"}, "limits": {"memory": "2560Mi"}}


def test_an_extended_resource_is_neither_touched_nor_a_written_size() -> None:
    gpu = {"nvidia.com/gpu": "1", "ephemeral-storage": "1Gi"}

    verdict = admit(pod(container(requests=gpu, limits=gpu)))

    found = resources(verdict)
    assert {k: v for k, v in found["limits"].items() if k in gpu} == gpu
    assert found["requests"] == {**gpu, "cpu": "500m", "memory": "2Gi"}


def test_advise_records_what_would_be_set_and_sets_nothing() -> None:
    verdict = admit(pod(container(requests={"cpu": "3", "memory": "7Gi"})), _explicit(Explicit.ADVISE))

    assert verdict.reason is Reason.EXPLICIT_ADVISED
    assert resources(verdict) == {"requests": {"cpu": "3", "memory": "7Gi"}}
    assert "advised: 500m CPU and 2Gi memory" in verdict.why


@pytest.mark.parametrize("consent", ["class", "pod"])
def test_override_by_class_or_by_the_pods_own_consent_replaces_numbers_and_limits(consent: str) -> None:
    numbers = {"cpu": "3", "memory": "7Gi"}
    labels = {"stowplan.dev/size": "auto"} if consent == "pod" else {}
    state = _explicit(Explicit.OVERRIDE) if consent == "class" else cluster()

    verdict = admit(pod(container(requests=numbers, limits={"cpu": "6", "memory": "8Gi"}), labels=labels), state)

    assert verdict.reason is Reason.EXPLICIT_OVERRIDDEN
    # standard sets no CPU limit, so the old one goes with the number it belonged to
    assert resources(verdict) == _COLD


def test_override_knows_nothing_better_for_a_side_container_with_numbers() -> None:
    state = _explicit(Explicit.OVERRIDE)

    verdict = admit(pod(container(), container("proxy", requests={"cpu": "10m", "memory": "20Mi"})), state)

    assert resources(verdict, 1) == {"requests": {"cpu": "10m", "memory": "20Mi"}}


def test_a_named_size_wins_over_the_main_containers_numbers_but_not_over_its_limit() -> None:
    labels = {"stowplan.dev/size": "l"}  # 1 CPU, 4Gi

    verdict = admit(pod(container(requests={"cpu": "3"}, limits={"memory": "1Gi"}), container("b"), labels=labels))

    assert verdict.reason is Reason.NAMED_SIZE
    assert resources(verdict) == {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert resources(verdict, 1) == _XS


def test_the_named_size_goes_to_the_default_container() -> None:
    annotations = {"kubectl.kubernetes.io/default-container": "app"}

    verdict = admit(
        pod(container("proxy"), container("app"), labels={"stowplan.dev/size": "s"}, annotations=annotations)
    )

    assert resources(verdict, 0) == _XS
    assert resources(verdict, 1)["requests"] == {"cpu": "250m", "memory": "1Gi"}


@pytest.mark.parametrize(
    "annotations",
    [
        {"stowplan.dev/keep": "size"},
        {"app.containers.stowplan.dev/policy": "fixed"},
        {"app.containers.stowplan.dev/policy": "ignore"},
    ],
)
def test_fixed_containers_are_left_alone(annotations: dict[str, str]) -> None:
    verdict = admit(pod(annotations=annotations))

    assert verdict.reason is Reason.FIXED_BY_USER
    assert resources(verdict) == {}


def test_keep_limits_sizes_requests_below_the_limit_that_is_there() -> None:
    numbers = pod(
        container(requests={"cpu": "3"}, limits={"memory": "1Gi"}),
        labels={"stowplan.dev/size": "l"},
        annotations={"stowplan.dev/keep": "limits"},
    )

    assert resources(admit(numbers)) == {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}


def test_annotation_bounds_hold_for_the_main_container() -> None:
    annotations = {"stowplan.dev/cpu-max": "300m", "stowplan.dev/memory-min": "3Gi"}

    verdict = admit(pod(container(), container("b"), annotations=annotations))

    assert resources(verdict)["requests"] == {"cpu": "300m", "memory": "3Gi"}
    assert resources(verdict, 1) == _XS


def test_a_guaranteed_pod_stays_guaranteed_with_a_named_size() -> None:
    same = {"cpu": "2", "memory": "2Gi"}

    verdict = admit(pod(container(requests=same, limits=same), labels={"stowplan.dev/size": "l"}))

    size = {"cpu": "1", "memory": "4Gi"}
    assert resources(verdict) == {"requests": size, "limits": size}
    assert "to stay Guaranteed" in verdict.why


def test_a_guaranteed_pod_that_keeps_its_limits_keeps_its_requests() -> None:
    same = {"cpu": "2", "memory": "2Gi"}

    verdict = admit(
        pod(
            container(requests=same, limits=same),
            labels={"stowplan.dev/size": "l"},
            annotations={"stowplan.dev/keep": "limits"},
        )
    )

    assert resources(verdict) == {"requests": same, "limits": same}


def test_pod_level_resources_are_respected() -> None:
    verdict = admit(pod(container(), resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}))

    assert verdict.reason is Reason.POD_LEVEL_RESPECTED
    assert resources(verdict) == {}
    assert verdict.pod is not None
    assert verdict.pod["spec"]["priorityClassName"] == "stowplan-standard"
