"""What pods' lives are learned by."""

from __future__ import annotations

import pytest

from extender.lifetimes.kin import keeps_nodes_in_use, path_of
from stowplan.model.pod import PodSignature
from tests.support.extender import GIB, signature

SHAPE = (("cpu", 1000), ("memory", GIB))


def owned(owner_key: str) -> PodSignature:
    return signature(owner_key=owner_key)


@pytest.mark.parametrize(
    ("owner_key", "family"),
    [
        ("ReplicaSet/shop-5d4f8c7b96", "shop"),  # a Deployment's: the hash of its template
        ("Job/report-28391240", "report"),  # a CronJob's: minutes since 1970
        ("Job/import-x7k2p", "import"),  # generateName
        ("ReplicaSet/web", None),
        ("Job/migrate", None),
        ("StatefulSet/queue-28391240", None),
    ],
)
def test_runs_of_one_workload_share_a_family(owner_key: str, family: str | None) -> None:
    owner = ("shop", owner_key)
    kind = owner_key.split("/", maxsplit=1)[0]

    between = () if family is None else (("shop", kind, family),)

    assert path_of(owned(owner_key), "u1") == (SHAPE, *between, owner)


def test_a_pod_without_an_owner_is_its_own() -> None:
    assert path_of(owned(""), "u1") == (SHAPE, "u1")


@pytest.mark.parametrize(("owner_key", "keeps"), [("DaemonSet/logs", False), ("Node/n1", False), ("Job/a", True)])
def test_pods_that_come_with_their_node_keep_none_in_use(owner_key: str, *, keeps: bool) -> None:
    assert keeps_nodes_in_use(owned(owner_key)) is keeps
