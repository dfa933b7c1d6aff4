"""What controls ReplicaSets and Jobs, as watches have seen it: the part of the owner chain that the names of pods do not tell."""

from __future__ import annotations

from collections.abc import Sequence

from stowplan.kube.codec import ObjectKey
from stowplan.kube.owner_projection import OwnerLink
from stowplan.model.workload import Controller


class OwnerLinks:
    """What controls ReplicaSets and Jobs, where their names do not tell. Handler of one reflector for each kind."""

    def __init__(self) -> None:
        self._controllers: dict[tuple[str, str, str], Controller] = {}

    def of(self, namespace: str, kind: str, name: str) -> Controller | None:
        """The controller of an object, if it was seen (a `ControllerOf`)."""
        return self._controllers.get((namespace, kind, name))

    def handler(self, kind: str) -> OwnerLinkHandler:
        """The store behind the reflector of a kind."""
        return OwnerLinkHandler(kind, self._controllers)


class OwnerLinkHandler:
    """Keeps the links of one kind."""

    def __init__(self, kind: str, controllers: dict[tuple[str, str, str], Controller]) -> None:
        self._kind = kind
        self._controllers = controllers

    def replace(self, items: Sequence[OwnerLink]) -> None:
        """The links are exactly these."""
        for key in [key for key in self._controllers if key[1] == self._kind]:
            del self._controllers[key]
        for item in items:
            self.upsert(item)

    def upsert(self, item: OwnerLink) -> None:
        """The owner is new or has changed."""
        self._controllers[item.namespace, self._kind, item.name] = item.controller

    def delete(self, key: ObjectKey) -> None:
        """The owner is gone, or its name tells its controller."""
        self._controllers.pop((key.namespace, self._kind, key.name), None)
