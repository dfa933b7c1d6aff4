"""LimitRange, policy and quota against sizes: nothing that we set gets a pod refused."""

from fractions import Fraction
from typing import Any

from stowplan.model.keys import LIMIT_RANGER
from stowplan.model.reasons import Reason
from stowplan.model.workload_class import WorkloadPolicy
from tests.support.pods import GIB, MIB, NAMESPACE, admit, cluster, container, pod, resources, with_limit_range
from webhook.limit_range import LimitItem, inject_defaults
from webhook.quota import Quota, Scope
from webhook.state import ClusterState


def _sized(state: ClusterState, received: dict[str, Any] | None = None) -> dict[str, Any]:
    return resources(admit(received or pod(), state))


def test_a_maximum_caps_request_and_limit() -> None:
    state = with_limit_range(LimitItem("Container", maximum={"memory": GIB}))

    assert _sized(state) == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}


def test_a_cpu_maximum_demands_a_cpu_limit() -> None:
    state = with_limit_range(LimitItem("Container", maximum={"cpu": 2000}))

    assert _sized(state)["limits"] == {"cpu": "500m", "memory": "2560Mi"}


def test_a_minimum_raises_the_request() -> None:
    state = with_limit_range(LimitItem("Container", minimum={"cpu": 750}))

    assert _sized(state)["requests"]["cpu"] == "750m"


def test_a_ratio_lowers_our_limit() -> None:
    state = with_limit_range(LimitItem("Container", ratio={"memory": Fraction(11, 10)}))

    # 2Gi x 1.1 = 2362232012.8 bytes, rounded down
    assert _sized(state)["limits"]["memory"] == "2362232012"


def test_a_ratio_raises_our_request_below_the_users_limit() -> None:
    state = with_limit_range(LimitItem("Container", ratio={"memory": Fraction(2)}))
    received = pod(container(requests={"memory": "4Gi"}, limits={"memory": "6Gi"}), labels={"stowplan.dev/size": "m"})

    # m asks for 2Gi, but the user's limit of 6Gi allows no request below 3Gi.
    assert _sized(state, received)["requests"]["memory"] == "3Gi"


def test_limit_ranger_defaults_are_replaced_but_never_removed() -> None:
    item = LimitItem(
        "Container", default={"cpu": "200m", "memory": "256Mi"}, default_request={"cpu": "50m", "memory": "64Mi"}
    )
    state = with_limit_range(item)
    received = pod()
    inject_defaults(received, state.limit_ranges[NAMESPACE])

    # The CPU limit must stay (LimitRanger would put it back), so it follows the request up.
    assert _sized(state, received) == {
        "requests": {"cpu": "500m", "memory": "2Gi"},
        "limits": {"cpu": "500m", "memory": "2560Mi"},
    }


def test_an_injected_limit_below_the_users_request_is_lifted_to_it() -> None:
    item = LimitItem("Container", default={"memory": "256Mi"}, default_request={"memory": "256Mi"})
    received = pod(
        container(requests={"cpu": "1", "memory": "1Gi"}, limits={"memory": "256Mi"}),
        annotations={LIMIT_RANGER: "LimitRanger plugin set: memory limit for container app"},
    )

    # As written the API server would refuse the pod.
    assert _sized(with_limit_range(item), received)["limits"] == {"memory": "1Gi"}


def test_a_pod_maximum_lowers_the_main_container_first() -> None:
    state = with_limit_range(LimitItem("Pod", maximum={"memory": 2 * GIB}))

    verdict = admit(pod(container(), container("b")), state)

    # 2Gi - 384Mi of the side container = 1664Mi for the main one; its limit may not exceed what is left of 2Gi
    assert resources(verdict)["requests"]["memory"] == "1664Mi"
    assert resources(verdict)["limits"]["memory"] == "1664Mi"
    assert resources(verdict, 1)["requests"]["memory"] == "384Mi"


def test_a_pod_minimum_raises_the_main_container() -> None:
    state = with_limit_range(LimitItem("Pod", minimum={"cpu": 1000}))

    assert _sized(state, pod(container(), container("b")))["requests"]["cpu"] == "900m"


def test_policy_maxima_per_pod_lower_what_we_set_and_never_the_users_numbers() -> None:
    state = cluster(policies={NAMESPACE: WorkloadPolicy(NAMESPACE, max_cpu_per_pod=400, max_memory_per_pod=GIB)})

    assert _sized(state)["requests"] == {"cpu": "400m", "memory": "1Gi"}
    own = {"cpu": "3", "memory": "3Gi"}
    assert _sized(state, pod(container(requests=own)))["requests"] == own


def test_a_range_that_cannot_be_met_leaves_the_sizes_alone() -> None:
    state = with_limit_range(LimitItem("Container", minimum={"memory": 4 * GIB}, maximum={"memory": GIB}))
    own = {"memory": "1Gi", "cpu": "1"}

    verdict = admit(pod(container(requests=own, limits=own)), state)

    assert resources(verdict) == {"requests": own, "limits": own}


def test_a_full_quota_drops_the_size_and_keeps_the_rest() -> None:
    # 800m + 500m > 1; without our request the quota has nothing to count, but demands one: so the pod is refused either way
    demanding = Quota("q", {"pods": 10, "requests.cpu": 1000}, {"requests.cpu": 800})
    verdict = admit(
        pod(container(requests={"cpu": "100m"}), labels={"stowplan.dev/size": "m"}),
        cluster(quotas={NAMESPACE: (demanding,)}),
    )

    assert verdict.reason is Reason.QUOTA_LIMITED
    assert resources(verdict) == {"requests": {"cpu": "100m"}}
    assert verdict.pod is not None
    assert verdict.pod["spec"]["priorityClassName"] == "stowplan-standard"
    assert "the quota has no room" in verdict.why


def test_a_quota_that_our_priority_would_fall_under_costs_the_priority_only() -> None:
    full = Quota("q", {"pods": 1}, {"pods": 1}, (Scope("PriorityClass", "In", ("stowplan-standard",)),))

    verdict = admit(pod(), cluster(quotas={NAMESPACE: (full,)}))

    assert verdict.pod is not None
    assert "priorityClassName" not in verdict.pod["spec"]
    assert resources(verdict)["requests"] == {"cpu": "500m", "memory": "2Gi"}


def test_a_best_effort_pod_stays_best_effort_where_only_that_quota_has_room() -> None:
    full = Quota("q", {"pods": 1}, {"pods": 1}, (Scope("NotBestEffort"),))

    assert resources(admit(pod(), cluster(quotas={NAMESPACE: (full,)}))) == {}


def test_a_quota_on_limits_gets_the_limits_it_demands() -> None:
    counting = Quota("q", {"limits.cpu": 4000, "limits.memory": 8 * GIB})

    found = _sized(cluster(quotas={NAMESPACE: (counting,)}))

    assert found["limits"] == {"cpu": "500m", "memory": f"{2560 * MIB // MIB}Mi"}
