"""Publishes learned sizes as WorkloadProfile objects and waits until the webhook knows them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from demo.errors import DemoError
from demo.manifests import CONTAINER, IMAGE
from stowplan.kube.client import ApiClient
from stowplan.kube.paths import PODS, WORKLOAD_PROFILES
from stowplan.model import keys
from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import profile_manifest
from stowplan.model.quantity import parse_cpu

_PARALLEL: Final = 16
_KNOWN_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.2
_TEMPLATE_HASH: Final = "demo0"


async def publish(
    api: ApiClient, profiles: Sequence[WorkloadProfile], clock: Callable[[], float] = time.monotonic
) -> None:
    """Create the profiles, statuses included, and return when the webhook sizes a pod by the last of them.

    Raises:
        DemoError: the webhook does not know the profiles after `_KNOWN_SECONDS`.
        KubeError: the API server refuses one, or cannot be reached.
    """
    slots = asyncio.Semaphore(_PARALLEL)

    async def one(profile: WorkloadProfile) -> None:
        manifest = profile_manifest(profile)
        name, path = manifest["metadata"]["name"], WORKLOAD_PROFILES.path(profile.namespace)
        async with slots:
            created = await api.create(path, manifest)
            status = {**created, "status": manifest["status"]}
            await api.replace(WORKLOAD_PROFILES.path(profile.namespace, name, "status"), status)

    await asyncio.gather(*(one(profile) for profile in profiles[:-1]))
    await one(profiles[-1])  # a watch tells of objects in the order of their writing
    deadline = clock() + _KNOWN_SECONDS
    while not await _is_known(api, profiles[-1]):
        if clock() > deadline:
            raise DemoError(
                f"the webhook does not apply the profile of {profiles[-1].name}; see the webhook's log for the reason"
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _is_known(api: ApiClient, profile: WorkloadProfile) -> bool:
    """Whether a pod of the workload, created in a dry run, gets the profile's size."""
    pod = await api.create(PODS.path(profile.namespace), probe_pod(profile), dryRun="All")
    requested = pod["spec"]["containers"][0]["resources"]["requests"]["cpu"]
    return parse_cpu(requested) == profile.recommendations[0].containers[0].target["cpu"]


def probe_pod(profile: WorkloadProfile) -> dict[str, Any]:
    """A pod that belongs to the profile's workload, asking for more than any size that is learned."""
    controller = profile.name if profile.kind != "Deployment" else f"{profile.name}-{_TEMPLATE_HASH}"
    owner = {
        "apiVersion": "batch/v1" if profile.kind == "Job" else "apps/v1",
        "kind": "ReplicaSet" if profile.kind == "Deployment" else profile.kind,
        "name": controller,
        "uid": "00000000-0000-0000-0000-000000000000",
        "controller": True,
    }
    labels = {
        keys.CLASS: profile.observed_class,
        keys.SIZE: "auto",
        "pod-template-hash": _TEMPLATE_HASH,
    }
    requests = {"cpu": "64", "memory": "1Gi"}
    return {
        "metadata": {"generateName": f"{controller}-", "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": [{"name": CONTAINER, "image": IMAGE, "resources": {"requests": requests}}]},
    }
