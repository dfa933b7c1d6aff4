"""Whether empty nodes stay: what the admin says, and what is looked for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from extender.cluster.cache import Cache
from extender.feeding.autoscaler import Autoscaler, EmptyNodes
from extender.feeding.polling import Poll
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import ApiError
from tests.support.extender import node

STATUS = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"


class FakeApi:
    """Has the ConfigMap, or fails with a status."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[str] = []

    async def get_bytes(self, path: str, **_: Any) -> bytes:
        """As of `ApiClient`."""
        self.asked.append(path)
        if self.status != 200:
            raise ApiError(self.status, "", "no")
        return b"{}"


def stay(api: FakeApi, *labels: dict[str, str], empty_nodes: EmptyNodes = "auto") -> bool:
    cache = Cache()
    for number, of in enumerate(labels):
        cache.upsert_node(node(f"n{number}", labels=of))
    found = Autoscaler(cast("ApiClient", api), cache, empty_nodes)
    asyncio.run(Poll(found.source, 1, lambda *_: None).once())
    return found.empty_nodes_stay


@pytest.mark.parametrize(
    ("status", "stays"),
    [
        (404, True),  # nobody writes it
        (200, False),
        (403, False),  # we may not look: nothing is known
        (500, False),
    ],
)
def test_nodes_stay_where_no_autoscaler_writes_its_status(status: int, *, stays: bool) -> None:
    api = FakeApi(status)

    assert stay(api, {}) is stays
    assert api.asked == [STATUS]


def test_karpenters_nodes_go() -> None:
    assert not stay(FakeApi(404), {}, {"karpenter.sh/nodepool": "gpu"})


def test_nothing_is_known_before_there_are_nodes() -> None:
    assert not stay(FakeApi(404))


def test_the_admin_knows_better() -> None:
    assert stay(FakeApi(200), {}, empty_nodes="stay")
    assert not stay(FakeApi(404), {}, empty_nodes="go")
