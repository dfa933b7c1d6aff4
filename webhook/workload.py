"""Reads from a pod as received which workload it belongs to (`stowplan.model.workload` has the rules)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stowplan.model.workload import Controller, ControllerOf, PodNames, Workload, nothing_seen, workload_of
from webhook.containers import PodError, labels_of, mapping, sequence

__all__ = ["Workload", "controller", "identify"]


def identify(pod: Mapping[str, Any], namespace: str, controller_of: ControllerOf = nothing_seen) -> Workload:
    """The workload by the controlling owner reference; a bare pod is its own. Raises PodError."""
    metadata = mapping(pod, "metadata", "pod")
    owner = controller(pod)
    names = PodNames(
        namespace, str(metadata.get("name") or ""), str(metadata.get("generateName") or ""), labels_of(pod)
    )
    if owner is None:
        return workload_of(names, None)
    found = Controller(str(owner.get("kind", "")), str(owner.get("name", "")), str(owner.get("apiVersion", "")))
    return workload_of(names, found, controller_of)


def controller(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The controlling owner reference, or None. Raises PodError."""
    for index, owner in enumerate(sequence(mapping(pod, "metadata", "pod"), "ownerReferences", "metadata")):
        if not isinstance(owner, dict):
            raise PodError(f"metadata.ownerReferences[{index}]: is no object; write one")
        if owner.get("controller"):
            return owner
    return None
