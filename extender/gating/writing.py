"""Gates on the API server: taken away, and found where the watch does not show them."""

from __future__ import annotations

from typing import Final

import msgspec

from stowplan.kube.client import ApiClient, Param
from stowplan.kube.errors import Conflict, NotFound
from stowplan.kube.paths import PODS
from stowplan.model.keys import GATE
from stowplan.model.pod import Pod

_PAGE: Final = 500


class _Meta(msgspec.Struct):
    name: str
    namespace: str
    uid: str


class _Gate(msgspec.Struct):
    name: str


class _Spec(msgspec.Struct, rename="camel"):
    scheduling_gates: list[_Gate] | None = None


class _Item(msgspec.Struct):
    metadata: _Meta
    spec: _Spec


class _ListMeta(msgspec.Struct):
    token: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[_Item] | None = None


_LIST: Final = msgspec.json.Decoder(_List)


class PodRef(msgspec.Struct, frozen=True):
    """A pod by name, and by UID, so that nothing is done to one of the same name that was made meanwhile."""

    uid: str
    namespace: str
    name: str

    @classmethod
    def of(cls, pod: Pod) -> PodRef:
        """Of a pod that is known."""
        return cls(pod.uid, pod.namespace, pod.name)


class GateWriter:
    """Takes gates away.

    Args:
        api: an open client.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def release(self, pod: PodRef) -> bool:
        """Take our gate away and leave all others; harmless where it is gone already. False where the pod is gone.

        Raises:
            KubeError: the API server refuses or does not answer.
        """
        gate = {"$patch": "delete", "name": GATE}
        body = {"metadata": {"uid": pod.uid}, "spec": {"schedulingGates": [gate]}}
        try:
            await self._api.patch(PODS.path(pod.namespace, pod.name), body, "strategic-merge-patch")
        except (NotFound, Conflict):
            return False
        return True

    async def found(self) -> list[PodRef]:
        """All pods with our gate, read afresh. Pods without a node are few, and the API server keeps an index of them."""
        found: list[PodRef] = []
        token: str | None = None
        while True:
            selected: dict[str, Param] = {"fieldSelector": "spec.nodeName=", "limit": _PAGE, "continue": token}
            page = _LIST.decode(await self._api.get_bytes(PODS.path(), **selected))
            found += [
                PodRef(i.metadata.uid, i.metadata.namespace, i.metadata.name) for i in page.items or () if _ours(i)
            ]
            token = page.metadata.token or None
            if token is None:
                return found


def _ours(item: _Item) -> bool:
    return any(gate.name == GATE for gate in item.spec.scheduling_gates or ())
