"""Dry-run creates through the real API server: nothing is stored, everything is admitted."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from perf.admission.load import Load, summary
from sandbox.errors import SandboxError
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict
from stowplan.kube.paths import NAMESPACES, PODS
from stowplan.model.keys import INJECT

IN_FLIGHT: Final = 16
"""Creates at once."""
_ACCOUNT_TRIES: Final = 300


async def make_namespace(api: ApiClient, name: str, *, opted_in: bool) -> None:
    """A namespace in which pods can be created; opted in to the webhook or not."""
    labels = {INJECT: "enabled"} if opted_in else {}
    try:
        await api.create(NAMESPACES.path(), {"metadata": {"name": name, "labels": labels}})
    except Conflict:
        return
    account = f"/api/v1/namespaces/{name}/serviceaccounts"
    for _ in range(_ACCOUNT_TRIES):  # a controller makes it; without it no pod is admitted
        if (await api.get(account))["items"]:
            return
        await asyncio.sleep(0.1)
    raise SandboxError(f"namespace {name} gets no service account; does kube-controller-manager run?")


def pod(number: int) -> dict[str, Any]:
    """A pod of a Deployment with a class, without requests: the webhook has all its work to do."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"shop-{number}", "labels": {"app": "shop", "stowplan.dev/class": "standard"}},
        "spec": {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]},
    }


async def creates(api: ApiClient, namespace: str, count: int) -> Load:
    """So many dry-run creates, `IN_FLIGHT` at once. An error of the API server is raised: none is expected."""
    times: list[int] = []
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            started = time.perf_counter_ns()
            await api.create(PODS.path(namespace), pod(number), dryRun="All")
            times.append(time.perf_counter_ns() - started)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return summary(times, 0, time.perf_counter() - started)


async def is_sized(api: ApiClient, namespace: str) -> bool:
    """Whether the webhook answers for this namespace: it knows of it by a watch."""
    created = await api.create(PODS.path(namespace), pod(0), dryRun="All")
    return "requests" in created["spec"]["containers"][0].get("resources", {})
