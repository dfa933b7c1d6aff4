"""What owners write about placement, and whose pods belong together."""

from __future__ import annotations

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.placement import parse_replica_limit, per_node, per_spot_pool, service_of, spot_pool
from stowplan.model.pod import ReplicaLimit
from tests.support.clusters import make_node, make_signature


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("3", ReplicaLimit(count=3)),
        (" 30% ", ReplicaLimit(percent=30)),
        ("100%", ReplicaLimit(percent=100)),
        ("101%", None),
        ("0", None),
        ("-1", None),
        ("half", None),
        ("", None),
        (None, None),
    ],
)
def test_a_limit_as_written(written: str | None, limit: ReplicaLimit | None) -> None:
    assert parse_replica_limit(written) == limit


@pytest.mark.parametrize(
    ("limit", "replicas", "most"),
    [
        (ReplicaLimit(count=3), 1, 3),
        (ReplicaLimit(percent=30), 10, 3),
        (ReplicaLimit(percent=34), 3, 1),  # 1.02
        (ReplicaLimit(percent=10), 5, 1),  # never less than one
    ],
)
def test_a_limit_in_pods(limit: ReplicaLimit, replicas: int, most: int) -> None:
    assert limit.most(replicas) == most


def test_a_service_is_the_workload_over_all_its_revisions() -> None:
    revision = make_signature(owner_key="ReplicaSet/web-5d4f", labels=(("app", "web"), ("pod-template-hash", "5d4f")))
    assert service_of(revision) == ("shop", "web")
    assert service_of(make_signature(owner_key="StatefulSet/db")) == ("shop", "db")
    assert service_of(make_signature(owner_key="")) is None


def test_a_spot_pool_is_an_instance_type_in_a_zone() -> None:
    spot = make_node("a", zone="z1", instance_type="m5.large", capacity_type="spot")
    assert spot_pool(spot) == "m5.large/z1"
    assert spot_pool(make_node("b", zone="z1", instance_type="m5.large")) is None


def test_only_classes_that_must_not_be_interrupted_have_limits_of_their_own() -> None:
    web = make_signature()
    # critical spreads over hosts in thirds: 34 %, so that three replicas stand on three nodes
    assert per_node(web, BUILTIN_CLASSES["critical"]) == ReplicaLimit(percent=34)
    assert per_spot_pool(web, BUILTIN_CLASSES["critical"]) == ReplicaLimit(percent=34)
    assert per_node(web, BUILTIN_CLASSES["standard"]) is None
    own = make_signature(per_node=ReplicaLimit(count=5))
    assert per_node(own, BUILTIN_CLASSES["critical"]) == ReplicaLimit(count=5)
