"""WorkloadProfiles in the API server: read once at the start, written when they change, by the holder of the Lease alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict, KubeError, NotFound, Unreachable
from stowplan.kube.paths import WORKLOAD_PROFILES
from stowplan.model.keys import CHECKPOINT, GROUP, VERSION
from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import KIND, object_name, profile_manifest

OPEN_DAY: Final = "open-day"
"""Value of the label, and key in `status.checkpoint` of such an object."""
CHECKPOINT_KIND: Final = "Checkpoint"
"""Kind in the `targetRef` of an object that is no workload's."""
_PAGE: Final = 200
"""A profile is up to 30 KiB, so a page is a few MiB."""


class LeaseLostError(KubeError):
    """The Lease is not held (any more): nothing was sent."""


class ProfileStore:
    """Reads and writes.

    Args:
        api: an open client.
        namespace: of the open-day checkpoints.
        remaining: seconds for which this process may surely write; 0: not at all. A write that takes longer is given up.
    """

    def __init__(self, api: ApiClient, namespace: str, remaining: Callable[[], float]) -> None:
        self._api = api
        self._namespace = namespace
        self._remaining = remaining

    async def all(self) -> AsyncIterator[Mapping[str, Any]]:
        """Every object, open-day checkpoints included. Raises KubeError."""
        token: str | None = None
        while True:
            page = await self._api.get(WORKLOAD_PROFILES.path(), **{"limit": _PAGE, "continue": token})
            for item in page.get("items") or ():
                yield item
            token = page["metadata"].get("continue") or None
            if token is None:
                return

    async def write(self, profile: WorkloadProfile) -> int:
        """Write a profile, made anew where there is none; the bytes sent. Raises KubeError."""
        manifest = profile_manifest(profile)
        return await self._put(manifest, {"app.kubernetes.io/managed-by": "stowplan"})

    async def write_checkpoint(self, name: str, text: str) -> int:
        """Write one open-day checkpoint; the bytes sent. Raises KubeError."""
        manifest = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "metadata": {"name": f"{OPEN_DAY}-{name}", "namespace": self._namespace},
            "spec": {"targetRef": {"kind": CHECKPOINT_KIND, "name": name}},
            "status": {"checkpoint": {OPEN_DAY: text}},
        }
        return await self._put(manifest, {CHECKPOINT: OPEN_DAY})

    async def delete(self, namespace: str, kind: str, name: str) -> None:
        """Delete the profile of a workload, if there is one. Raises KubeError."""
        path = WORKLOAD_PROFILES.path(namespace, object_name(kind, name))
        try:
            await self._within(self._api.delete(path))
        except NotFound:
            return

    async def _put(self, manifest: Mapping[str, Any], labels: Mapping[str, str]) -> int:
        """Replace the whole status at once; a merge would keep what is gone."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        path = WORKLOAD_PROFILES.path(namespace, name, "status")
        patch = [{"op": "add", "path": "/status", "value": manifest["status"]}]
        try:
            await self._within(self._api.patch(path, patch, "json-patch"))
        except NotFound:
            body = {**manifest, "metadata": {**manifest["metadata"], "labels": dict(labels)}}
            body.pop("status")
            try:
                await self._within(self._api.create(WORKLOAD_PROFILES.path(namespace), body))
            except Conflict as error:
                if error.reason != "AlreadyExists":
                    raise
            await self._within(self._api.patch(path, patch, "json-patch"))
        return len(msgspec.json.encode(patch))

    async def _within(self, call: Any) -> None:
        """Only while the Lease is surely held."""
        remaining = self._remaining()
        if remaining <= 0:
            call.close()
            raise LeaseLostError("the Lease is not held; nothing is written")
        try:
            async with asyncio.timeout(remaining):
                await call
        except TimeoutError as error:
            raise Unreachable("no answer before the Lease could have run out") from error
