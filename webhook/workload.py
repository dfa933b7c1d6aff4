"""Which workload a pod belongs to, by a name that outlives the pod and its template's revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.containers import PodError, labels_of, mapping, sequence

_CRON_JOB_RUN = re.compile(
    r"(?P<name>.+)-[0-9]{8,11}"
)  # the CronJob controller appends the scheduled minute since 1970


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload of a pod. For a Deployment's pod `kind` is Deployment, while the owner is the ReplicaSet."""

    namespace: str
    kind: str
    name: str
    owner_kind: str = ""
    """The controlling owner, empty for a bare pod: what the replica count is looked up by."""
    owner_name: str = ""

    @property
    def identity(self) -> str:
        """Stable over pods and rollouts; input of the canary's and the decision's hash."""
        return f"{self.namespace}/{self.kind}/{self.name}"


def identify(pod: Mapping[str, Any], namespace: str) -> Workload:
    """The workload by the controlling owner reference; a bare pod is its own. Raises PodError."""
    metadata = mapping(pod, "metadata", "pod")
    owner = controller(pod)
    if owner is None:
        name = metadata.get("name") or metadata.get("generateName") or ""
        return Workload(namespace, "Pod", str(name).rstrip("-"))
    kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
    if kind == "ReplicaSet":
        template = labels_of(pod).get("pod-template-hash", "")
        if template and name.endswith(f"-{template}"):
            return Workload(namespace, "Deployment", name.removesuffix(f"-{template}"), kind, name)
    if kind == "Job" and (run := _CRON_JOB_RUN.fullmatch(name)):
        return Workload(namespace, "CronJob", run["name"], kind, name)
    return Workload(namespace, kind, name, kind, name)


def controller(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The controlling owner reference, or None. Raises PodError."""
    for index, owner in enumerate(sequence(mapping(pod, "metadata", "pod"), "ownerReferences", "metadata")):
        if not isinstance(owner, dict):
            raise PodError(f"metadata.ownerReferences[{index}]: is no object; write one")
        if owner.get("controller"):
            return owner
    return None
