"""The scheduler's pod of one arm: the Deployment of the manifests with the arm's configuration, held back by its own Lease.

kube-scheduler and extender start together in one pod. The Lease is held by the measurement until the extender has planned; then it is
given up, and the scheduler goes on as one that stood by does when another has gone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import yaml

from extender.scheduler_config import scheduler_configuration
from perf.in_kind.own_nodes import PLACEMENT
from perf.throughput.arms import Arm
from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from sandbox.probe import wait_until
from stowplan.model.keys import SCHEDULER_NAME, SYSTEM_NAMESPACE

Manifest = dict[str, Any]

_DEPLOYMENT: Final = "deployment/stowplan-scheduler"
_POD_NAME: Final = "stowplan-scheduler-"
_EXTENDER: Final = "extender"
_URL: Final = "http://127.0.0.1:8888"
"""Of the extender, in the pod of the manifests."""
_CONFIGURATION: Final = "perf-scheduler-configuration"
_HOLDER: Final = "perf"
_HELD_SECONDS: Final = 3600
_START_SECONDS: Final = 180.0


class SchedulerPod:
    """The Deployment of a kind cluster, arm by arm.

    Args:
        cluster: with stowplan installed.
    """

    def __init__(self, cluster: KindCluster) -> None:
        self._cluster = cluster
        self._original: Manifest = json.loads(self._kubectl("get", _DEPLOYMENT, "-o", "json"))

    @contextmanager
    def of(self, arm: Arm) -> Iterator[None]:
        """The pod of an arm runs, synced, and does not schedule yet; it is gone after the block.

        Raises:
            SandboxError: it does not become ready.
        """
        self._remove()
        self._lease(_HOLDER, _HELD_SECONDS)
        self._apply(_config_map(arm))
        self._replace(arm_deployment(self._original, arm))
        try:
            self._kubectl("rollout", "status", _DEPLOYMENT, f"--timeout={_START_SECONDS:.0f}s")
            if arm.has_extender:
                wait_until(
                    "the extender is synced", self._is_synced, timeout_seconds=_START_SECONDS, interval_seconds=0.5
                )
            yield
        finally:
            self._remove()

    def let_go(self) -> None:
        """Give up the Lease: the scheduler begins within its retry period of two seconds."""
        self._lease("", 1)

    def lead(self) -> None:
        """Give up the Lease, and return once the scheduler holds it.

        Raises:
            SandboxError: it does not take it.
        """
        self.let_go()
        wait_until("the scheduler leads", self._leads, timeout_seconds=_START_SECONDS, interval_seconds=0.2)

    def _leads(self) -> bool:
        try:
            lease = json.loads(self._kubectl("get", "lease", SCHEDULER_NAME, "-o", "json"))
        except SandboxError:  # no answer from a busy API server: not yet
            return False
        return lease["spec"].get("holderIdentity", "") not in ("", _HOLDER)

    def _remove(self) -> None:
        self._kubectl("scale", _DEPLOYMENT, "--replicas=0")
        gone = partial(self._count, 0)
        wait_until("the scheduler's pod is gone", gone, timeout_seconds=_START_SECONDS, interval_seconds=0.5)

    def _count(self, wanted: int) -> bool:
        try:
            names = self._cluster.pods()
        except SandboxError:  # no answer from a busy API server: not yet
            return False
        return sum(name.startswith(_POD_NAME) for name in names) == wanted

    def _is_synced(self) -> bool:
        names = [name for name in self._cluster.pods() if name.startswith(_POD_NAME)]
        try:
            for name in names:
                path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{name}:9090/proxy/readyz"
                self._cluster.kubectl("get", "--raw", path)
        except SandboxError:  # not ready, or not there yet
            return False
        return bool(names)

    def _lease(self, holder: str, seconds: int) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": now, "renewTime": now}
        metadata = {"name": SCHEDULER_NAME, "namespace": SYSTEM_NAMESPACE}
        self._apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})

    def _apply(self, manifest: Manifest) -> None:
        self._kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(manifest))

    def _replace(self, manifest: Manifest) -> None:
        self._kubectl("replace", "-f", "-", text=json.dumps(manifest))

    def _kubectl(self, *arguments: str, text: str | None = None) -> str:
        return self._cluster.kubectl("-n", SYSTEM_NAMESPACE, *arguments, text=text)


def arm_deployment(original: Manifest, arm: Arm) -> Manifest:
    """The Deployment with one replica on kind's own nodes, the arm's configuration and, as the arm says, extender flags or no extender."""
    spec = copy.deepcopy(original["spec"])
    spec["replicas"] = 1
    pod = spec["template"]["spec"]
    pod |= dict(PLACEMENT)
    containers = []
    for container in pod["containers"]:
        if container["name"] == _EXTENDER:
            if not arm.has_extender:
                continue
            container["args"] = [*container["args"], f"--channel={arm.channel}", *arm.flags]
        containers.append(container)
    pod["containers"] = containers
    for volume in pod["volumes"]:
        if "configMap" in volume:
            volume["configMap"]["name"] = _CONFIGURATION
    # A pod of another arm must never take this one's for its own: the template tells them apart.
    spec["template"]["metadata"].setdefault("annotations", {})[f"{SCHEDULER_NAME}/arm"] = arm.name
    metadata = {key: original["metadata"][key] for key in ("name", "namespace", "labels")}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _config_map(arm: Arm) -> Manifest:
    document = scheduler_configuration(
        extender_url=_URL,
        channel=arm.channel,
        percentage_of_nodes_to_score=arm.percentage,
        client_qps=5000,  # what is measured must not be a limit that we set
    )
    metadata = {"name": _CONFIGURATION, "namespace": SYSTEM_NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"scheduler.yaml": yaml.safe_dump(document)},
    }
