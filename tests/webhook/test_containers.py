"""Reading containers: roles, the user's numbers, and errors that name field and remedy."""

from typing import Any

import pytest

from stowplan.model.keys import LIMIT_RANGER
from tests.support.pods import GIB, container, pod
from webhook.containers import PodError, Role, check_shape, check_written, labels_of, parse_injected, read_containers


def test_roles_follow_position_restart_policy_and_the_default_container_annotation() -> None:
    received = pod(
        container("proxy"),
        container("app"),
        init=[container("migrate"), container("mesh", restartPolicy="Always")],
        annotations={"kubectl.kubernetes.io/default-container": "app"},
    )

    roles = {c.name: c.role for c in read_containers(received)}

    assert roles == {"proxy": Role.APP, "app": Role.MAIN, "migrate": Role.INIT, "mesh": Role.SIDECAR}


def test_without_the_annotation_or_with_a_wrong_one_the_first_app_container_is_main() -> None:
    wrong = pod(
        container("a"), container("b"), annotations={"kubectl.kubernetes.io/default-container": "no-such-container"}
    )

    assert read_containers(wrong)[0].role is Role.MAIN


def test_amounts_are_integers_in_any_notation_and_other_resources_are_left_out() -> None:
    numbers = {"cpu": "1.5", "memory": "2e9", "nvidia.com/gpu": "1"}

    found = read_containers(pod(container(requests=numbers)))[0]

    assert found.requests == {"cpu": 1500, "memory": 2_000_000_000}


def test_what_limit_ranger_injected_is_not_the_users() -> None:
    text = (
        "LimitRanger plugin set: cpu, memory request for container app; memory limit for container app; "
        "cpu request for init container mesh"
    )
    received = pod(
        container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "2", "memory": "1Gi"}),
        annotations={LIMIT_RANGER: text},
    )

    found = read_containers(received)[0]

    assert (found.own_request("cpu"), found.own_limit("cpu")) == (None, 2000)
    assert (found.own_request("memory"), found.own_limit("memory")) == (None, None)
    assert found.written("cpu")
    assert not found.written("memory")
    assert parse_injected(text)["initContainers", "mesh"] == {("request", "cpu")}


@pytest.mark.parametrize(
    ("received", "field"),
    [
        ({}, "spec.containers"),
        ({"spec": []}, "pod.spec"),
        (pod(container(requests={"cpu": "1x"})), "spec.containers[0].resources.requests.cpu"),
        (pod(container(limits={"memory": "-1"})), "spec.containers[0].resources.limits.memory"),
        (pod(container(requests={"nvidia.com/gpu": "one"})), "spec.containers[0].resources.requests.nvidia.com/gpu"),
        (pod(container("a"), container("a")), "spec.containers[1].name"),
        (pod({"image": "x"}), "spec.containers[0].name"),
    ],
)
def test_what_the_api_server_would_refuse_is_named(received: dict[str, Any], field: str) -> None:
    with pytest.raises(PodError) as error:
        read_containers(received)
    assert str(error.value).startswith(field)


def test_a_label_that_yaml_made_a_number_is_named() -> None:
    with pytest.raises(PodError, match=r"metadata.labels\['app'\]: is a number; write text, quoted"):
        labels_of({"metadata": {"labels": {"app": 1}}})


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"affinity": 5}, "spec.affinity"),
        ({"affinity": {"nodeAffinity": []}}, "spec.affinity.nodeAffinity"),
        ({"topologySpreadConstraints": {}}, "spec.topologySpreadConstraints"),
        ({"schedulerName": 7}, "spec.schedulerName"),
        ({"resources": {"limits": {"cpu": "much"}}}, "spec.resources.limits.cpu"),
        ({"overhead": {"memory": True}}, "spec.overhead.memory"),
    ],
)
def test_wrong_shapes_are_named(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(PodError) as error:
        check_shape(pod(**spec))
    assert str(error.value).startswith(field)


def test_a_request_above_the_users_own_limit_is_refused_but_not_above_an_injected_one() -> None:
    received = pod(container(requests={"memory": "2Gi"}, limits={"memory": "1Gi"}))
    with pytest.raises(PodError, match=r"spec.containers\[0\].resources.requests.memory"):
        check_written(read_containers(received))

    received["metadata"]["annotations"] = {LIMIT_RANGER: "LimitRanger plugin set: memory limit for container app"}
    check_written(read_containers(received))
    assert read_containers(received)[0].own_request("memory") == 2 * GIB
