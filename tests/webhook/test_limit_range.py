"""LimitRange: what LimitRanger refuses, defaults and writes."""

from typing import Any

import pytest

from tests.support.pods import GIB, container, pod
from webhook.limit_range import combine, inject_defaults, parse_limit_range, violations

_RANGE = parse_limit_range(
    {
        "metadata": {"name": "r"},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "min": {"cpu": "100m"},
                    "max": {"memory": "2Gi"},
                    "maxLimitRequestRatio": {"cpu": "2"},
                    "default": {"cpu": "400m"},
                },
                {"type": "Pod", "max": {"memory": "3Gi"}},
                {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
            ]
        },
    }
)


@pytest.mark.parametrize(
    ("requests", "limits", "broken"),
    [
        ({"cpu": "200m", "memory": "1Gi"}, {"cpu": "400m", "memory": "2Gi"}, set()),
        ({"cpu": "99m", "memory": "1Gi"}, {"cpu": "150m", "memory": "2Gi"}, {"app: cpu below minimum"}),
        # 500m / 200m = 2.5 > 2
        ({"cpu": "200m", "memory": "1Gi"}, {"cpu": "500m", "memory": "2Gi"}, {"app: cpu limit to request ratio"}),
        # No CPU limit: the ratio wants one. No memory limit: the maximum wants one, of the container and of the pod.
        (
            {"cpu": "200m", "memory": "1Gi"},
            {},
            {
                "app: cpu limit to request ratio",
                "app: memory above maximum or without limit",
                "pod: memory above maximum or without limit",
            },
        ),
    ],
)
def test_violations(requests: dict[str, str], limits: dict[str, str], broken: set[str]) -> None:
    assert violations(pod(container(requests=requests, limits=limits))["spec"], (_RANGE,)) == broken


def test_pod_totals_count_sidecars_and_leave_the_overhead_out() -> None:
    requests, limits = {"cpu": "200m", "memory": "1Gi"}, {"cpu": "200m", "memory": "1536Mi"}
    mesh = container("mesh", requests, limits, restartPolicy="Always")
    spec = pod(container("app", requests, limits), init=[mesh])["spec"]

    # 1536Mi + 1536Mi = 3Gi is just admitted; the runtime's overhead on top is not LimitRanger's business.
    assert violations({**spec, "overhead": {"memory": "1Gi"}}, (_RANGE,)) == set()
    more = container("third", requests={"cpu": "100m", "memory": "1"}, limits={"cpu": "100m", "memory": "1"})
    spec["containers"].append(more)
    assert violations(spec, (_RANGE,)) == {"pod: memory above maximum or without limit"}


def test_defaults_follow_the_api_servers_chain() -> None:
    item = _RANGE.items[0]

    # max -> default (memory), default -> defaultRequest (both), then min -> defaultRequest (cpu has one already)
    assert item.default == {"cpu": "400m", "memory": "2Gi"}
    assert item.default_request == {"cpu": "400m", "memory": "2Gi"}


def test_injection_writes_the_annotation_that_we_parse() -> None:
    received: dict[str, Any] = pod(container(requests={"cpu": "1"}), init=[container("mesh")])

    inject_defaults(received, (_RANGE,))

    assert received["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: memory request for container app; cpu, memory limit for container app; "
        "cpu, memory request for init container mesh; cpu, memory limit for init container mesh"
    )
    assert received["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"cpu": "400m", "memory": "2Gi"},
    }


def test_the_strictest_of_all_ranges_counts() -> None:
    other = parse_limit_range({"spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}})

    assert combine((_RANGE, other), "Container", "memory").maximum == GIB
    assert combine((_RANGE, other), "Pod", "memory").maximum == 3 * GIB
    assert combine((_RANGE, other), "Container", "cpu").needs_limit
