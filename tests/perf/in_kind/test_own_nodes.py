"""Nodes that KWOK plays: what the controllers would do for them slowly is done at once, and nothing of others is touched."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from perf.in_kind import own_nodes
from perf.in_kind.own_nodes import add_nodes
from sandbox.errors import SandboxError
from stowplan.kube.errors import Conflict

Manifest = dict[str, Any]
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
MINE = {"key": "example.org/mine", "value": "yes", "effect": "NoSchedule"}
OWN: Manifest = {
    "metadata": {"name": "kind-control-plane", "resourceVersion": "1"},
    "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"], "taints": [NOT_READY]},
    "status": {"conditions": [{"type": "Ready", "status": "False"}]},
}


class Api:
    """A store of nodes: new ones are tainted as not ready, and are ready when they are listed after `lists` times."""

    def __init__(self, own: Manifest, *, ready_after: int = 1) -> None:
        self.nodes: dict[str, Manifest] = {own["metadata"]["name"]: copy.deepcopy(own)}
        self.conflicts = 0
        self._lists = 0
        self._ready_after = ready_after

    async def list(self, _path: str) -> tuple[list[Manifest], str]:
        """Nodes that were created are Ready from some list on."""
        self._lists += 1
        if self._lists > self._ready_after:
            for node in self.nodes.values():
                if node["metadata"]["name"] != OWN["metadata"]["name"]:
                    node["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        return copy.deepcopy(list(self.nodes.values())), "1"

    async def create(self, _path: str, body: Manifest) -> None:
        """As the API server does: tainted until it is ready."""
        node = copy.deepcopy(body)
        node["metadata"]["resourceVersion"] = "7"
        node["spec"]["taints"] = [*node["spec"].get("taints", ()), NOT_READY]
        node.setdefault("status", {})
        self.nodes[node["metadata"]["name"]] = node

    async def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """The taints of a node, for those who know its newest version; the first call comes too late."""
        if not self.conflicts:
            self.conflicts += 1
            raise Conflict(409, "Conflict", "changed meanwhile")
        node = self.nodes[path.rpartition("/")[2]]
        assert body["metadata"]["resourceVersion"] == node["metadata"]["resourceVersion"]
        node["spec"]["taints"] = body["spec"]["taints"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api(OWN)

    @contextlib.asynccontextmanager
    async def client(_: object) -> AsyncIterator[Api]:
        yield made

    monkeypatch.setattr(own_nodes, "ApiClient", client)
    monkeypatch.setattr(own_nodes, "_PAUSE_SECONDS", 0.0)
    return made


def node(name: str, *taints: Manifest) -> Manifest:
    return {"metadata": {"name": name}, "spec": {"taints": list(taints)} if taints else {}}


async def test_new_nodes_lose_the_taint_of_those_that_are_not_ready_and_keep_their_own(api: Api) -> None:
    await add_nodes(None, [node("a"), node("b", MINE)])  # type: ignore[arg-type]  # the client is not real either

    assert api.conflicts == 1  # and was looked at again
    assert api.nodes["a"]["spec"]["taints"] == []
    assert api.nodes["b"]["spec"]["taints"] == [MINE]
    assert api.nodes["kind-control-plane"] == OWN  # not ready, and not ours to say so


async def test_nobody_has_to_find_addresses_for_their_pods(api: Api) -> None:
    await add_nodes(None, [node("a")])  # type: ignore[arg-type]  # the client is not real either
    assert api.nodes["a"]["spec"]["podCIDRs"] == ["10.244.0.0/24"]


async def test_where_no_node_has_addresses_none_are_given(api: Api) -> None:
    del api.nodes["kind-control-plane"]
    await add_nodes(None, [node("a")])  # type: ignore[arg-type]  # the client is not real either
    assert "podCIDR" not in api.nodes["a"]["spec"]


async def test_nodes_that_do_not_become_ready_are_an_error_with_their_number(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_nodes, "_READY_SECONDS", -1.0)
    with pytest.raises(SandboxError, match="2 of 2 nodes are not ready after"):
        await add_nodes(None, [node("a"), node("b")])  # type: ignore[arg-type]  # the client is not real either
    assert api.conflicts == 0
