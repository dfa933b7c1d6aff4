"""Whether something in the cluster removes empty nodes: then an empty node costs money only once a pod opens it."""

from __future__ import annotations

from typing import Final, Literal

from extender.cluster.cache import Cache
from extender.feeding.polling import Source
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import ApiError
from stowplan.kube.paths import CONFIG_MAPS
from stowplan.model.disruption import AUTOSCALER_STATUS, NODE_POOL

EmptyNodes = Literal["auto", "stay", "go"]
_NOT_FOUND: Final = 404


class Autoscaler:
    """Looks for cluster-autoscaler (its status ConfigMap) and for Karpenter (labels of its nodes).

    Args:
        api: an open client.
        cache: the nodes.
        empty_nodes: what the admin says; `auto` looks.
    """

    def __init__(self, api: ApiClient, cache: Cache, empty_nodes: EmptyNodes) -> None:
        self._api, self._cache, self._empty_nodes = api, cache, empty_nodes
        self._absent = False

    @property
    def empty_nodes_stay(self) -> bool:
        """Whether empty nodes are paid for anyway. Not before it is known: a node that is opened for nothing costs its price."""
        return self._absent if self._empty_nodes == "auto" else self._empty_nodes == "stay"

    @property
    def source(self) -> Source:
        """To be polled."""
        return Source("autoscaler", self.read, self.lose)

    async def read(self) -> None:
        """Look once."""
        nodes = self._cache.snapshot().nodes.values()
        karpenter = any(NODE_POOL in info.node.labels for info in nodes)
        self._absent = bool(nodes) and not karpenter and not await self._writes_status()

    def lose(self) -> None:
        """Nothing is known."""
        self._absent = False

    async def _writes_status(self) -> bool:
        namespace, name = AUTOSCALER_STATUS
        try:
            await self._api.get_bytes(CONFIG_MAPS.path(namespace=namespace, name=name))
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True
