"""Nominations on the API server: set, taken back, found again.

They are written by server-side apply under a name of our own, so that the API server keeps the promises of the channel: a value that
another has set is a conflict and stays; taking ours back removes nothing that is not ours; after a restart the name tells ours.
"""

from __future__ import annotations

from typing import Any, Final

from extender.nomination.decision import Nomination
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict, NotFound
from stowplan.kube.paths import PODS

MANAGER: Final = "stowplan-nomination"
"""Field manager of the value."""
_LEAST_VERSION: Final = (1, 35)
"""NominatedNodeNameForExpectation is on by default from here; before, the scheduler itself cleared values of others."""


class NominationWriter:
    """Writes nominations.

    Args:
        api: an open client.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def supported(self) -> bool:
        """Whether the cluster honours nominations by others than its scheduler."""
        version = await self._api.get("/version")
        return parse_version(version) >= _LEAST_VERSION

    async def set(self, nomination: Nomination) -> bool:
        """Write the value; False where another's is there already, or the pod is gone."""
        return await self._apply(nomination, {"status": {"nominatedNodeName": nomination.node}})

    async def clear(self, nomination: Nomination) -> bool:
        """Take the value back, if it is ours still; False where the pod is gone."""
        return await self._apply(nomination, {})

    async def found(self) -> list[Nomination]:
        """All nominations of ours on pods without a node."""
        items, _ = await self._api.list(PODS.path(), fieldSelector="spec.nodeName=,status.nominatedNodeName!=")
        return [_nomination(item) for item in items if _is_ours(item)]

    async def _apply(self, nomination: Nomination, more: dict[str, Any]) -> bool:
        # With the UID, so that a pod of the same name made meanwhile is a conflict.
        metadata = {"name": nomination.name, "namespace": nomination.namespace, "uid": nomination.uid}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **more}
        path = PODS.path(nomination.namespace, nomination.name, "status")
        try:
            await self._api.apply(path, body, MANAGER)
        except (Conflict, NotFound):
            return False
        return True


def parse_version(version: dict[str, Any]) -> tuple[int, int]:
    """Major and minor of `/version`; providers append signs to the minor (`35+`). (0, 0) where it cannot be read."""
    digits = ["".join(c for c in str(version.get(key, "")) if c.isdigit()) for key in ("major", "minor")]
    return (int(digits[0]), int(digits[1])) if all(digits) else (0, 0)


def _is_ours(item: dict[str, Any]) -> bool:
    return any(entry.get("manager") == MANAGER for entry in item["metadata"].get("managedFields") or ())


def _nomination(item: dict[str, Any]) -> Nomination:
    metadata = item["metadata"]
    node = item["status"]["nominatedNodeName"]
    return Nomination(metadata["uid"], metadata["namespace"], metadata["name"], node)
