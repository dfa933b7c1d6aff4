"""ResourceQuota: counting, demanding, scopes."""

from typing import Any

import pytest

from tests.support.pods import container, pod
from webhook.quota import Quota, Scope, limits_counted, parse_quota, quota_violations

_SIZED = container(requests={"cpu": "500m", "memory": "1Gi"}, limits={"memory": "1Gi"})


@pytest.mark.parametrize(
    ("hard", "used", "broken"),
    [
        ({"requests.cpu": 1000}, {"requests.cpu": 500}, set()),  # 500m + 500m = 1
        ({"cpu": 1000}, {"cpu": 501}, {"q: cpu exceeded"}),
        ({"limits.memory": 2**30 - 1}, {}, {"q: limits.memory exceeded"}),
        ({"limits.cpu": 1000}, {}, {"q: app must specify limits.cpu"}),
        ({"pods": 3}, {"pods": 3}, {"q: pods exceeded"}),
    ],
)
def test_violations(hard: dict[str, int], used: dict[str, int], broken: set[str]) -> None:
    assert quota_violations(pod(_SIZED)["spec"], (Quota("q", hard, used),)) == broken


@pytest.mark.parametrize(
    ("scope", "spec", "counts"),
    [
        (Scope("BestEffort"), pod()["spec"], True),
        (Scope("BestEffort"), pod(_SIZED)["spec"], False),
        (Scope("NotBestEffort"), pod(_SIZED)["spec"], True),
        (Scope("Terminating"), pod(activeDeadlineSeconds=60)["spec"], True),
        (Scope("NotTerminating"), pod(activeDeadlineSeconds=60)["spec"], False),
        (Scope("PriorityClass", "In", ("gold",)), pod(priorityClassName="gold")["spec"], True),
        (Scope("PriorityClass", "NotIn", ("gold",)), pod(priorityClassName="gold")["spec"], False),
        (Scope("PriorityClass", "Exists"), pod()["spec"], False),
        (Scope("PriorityClass", "DoesNotExist"), pod()["spec"], True),
        (Scope("CrossNamespacePodAffinity"), pod()["spec"], False),
    ],
)
def test_scopes(scope: Scope, spec: dict[str, Any], *, counts: bool) -> None:
    full = Quota("q", {"pods": 0}, {}, (scope,))

    assert bool(quota_violations(spec, (full,))) is counts


def test_pod_level_resources_lift_the_demand_on_containers() -> None:
    spec = pod(container(), resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}})["spec"]

    assert quota_violations(spec, (Quota("q", {"limits.cpu": 2000}),)) == set()


def test_parsing_keeps_what_a_pod_can_violate() -> None:
    quota = parse_quota(
        {
            "metadata": {"name": "q"},
            "spec": {
                "hard": {"requests.cpu": "4"},
                "scopes": ["NotTerminating"],
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]
                },
            },
            "status": {"hard": {"requests.cpu": "2", "services": "5"}, "used": {"requests.cpu": "1500m"}},
        }
    )

    assert quota == Quota(
        "q",
        {"requests.cpu": 2000},
        {"requests.cpu": 1500},
        (Scope("NotTerminating"), Scope("PriorityClass", "In", ("gold",))),
    )
    assert limits_counted((Quota("q", {"limits.memory": 1}),)) == {"memory"}
