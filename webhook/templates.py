"""The pods that workload objects would make, without a cluster, and what the API server adds before a webhook sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.containers import LISTS, PodError, mapping, sequence
from webhook.json_patch import copy_json
from webhook.limit_range import LimitRange, inject_defaults
from webhook.workload import Workload, identify

_TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
POD_KINDS: Final = ("Pod", *_TEMPLATES)


@dataclass(frozen=True, slots=True)
class PodOf:
    """A pod as a workload's controller would create it."""

    pod: dict[str, Any]
    workload: Workload
    replicas: int | None = None


def pod_of(obj: Mapping[str, Any], namespace: str | None) -> PodOf:
    """The pod of a Pod or workload object.

    Args:
        obj: an object of one of `POD_KINDS`.
        namespace: of objects that name none; None is `default`.

    Raises:
        PodError: the object is not what the API takes.
    """
    kind = str(obj.get("kind"))
    metadata = mapping(obj, "metadata", kind)
    where = metadata.get("namespace") or namespace or "default"
    if not isinstance(where, str):
        raise PodError("metadata.namespace: is no text; write a name")
    if kind == "Pod":
        pod = copy_json(obj)
        return PodOf(pod, identify(pod, where))
    name = metadata.get("name") or metadata.get("generateName") or ""
    if not isinstance(name, str):
        raise PodError("metadata.name: is no text; write a name")
    pod = _from_template(obj, kind, name, metadata.get("namespace"))
    return PodOf(pod, Workload(where, kind, name, kind, name), _replicas(obj, kind))


def _from_template(obj: Mapping[str, Any], kind: str, name: str, namespace: Any) -> dict[str, Any]:
    template: Mapping[str, Any] = obj
    field = ""
    for key in _TEMPLATES[kind]:
        field = f"{field}.{key}" if field else key
        if not mapping(template, key, field.rpartition(".")[0] or kind):
            raise PodError(f"{field}: is missing; a {kind} makes its pods from it")
        template = template[key]
    metadata: dict[str, Any] = {"generateName": f"{name.rstrip('-')}-"}
    if namespace:
        metadata["namespace"] = namespace
    given = mapping(template, "metadata", field)
    metadata.update({key: copy_json(given[key]) for key in ("labels", "annotations") if given.get(key)})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": copy_json(mapping(template, "spec", field)),
    }


def _replicas(obj: Mapping[str, Any], kind: str) -> int | None:
    spec = mapping(obj, "spec", kind)
    if kind == "CronJob":
        spec = mapping(mapping(spec, "jobTemplate", "spec"), "spec", "spec.jobTemplate")
    if kind == "DaemonSet":
        return None
    key = "parallelism" if kind in ("Job", "CronJob") else "replicas"
    count = spec.get(key, 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise PodError(f"spec.{key}: is no number of pods; write 0 or more")
    completions = spec.get("completions")
    return min(count, completions) if isinstance(completions, int) else count


def complete(pod: dict[str, Any], ranges: tuple[LimitRange, ...]) -> None:
    """Add what the API server adds before webhooks: missing requests from limits, then LimitRange defaults (changes `pod`).

    Raises:
        PodError: the pod's structure is not what the API takes.
    """
    spec = mapping(pod, "spec", "pod")
    for list_name in LISTS:
        for index, container in enumerate(sequence(spec, list_name, "spec")):
            field = f"spec.{list_name}[{index}]"
            if not isinstance(container, dict):
                raise PodError(f"{field}: is no object; write one with name and image")
            resources = mapping(container, "resources", field)
            limits = mapping(resources, "limits", f"{field}.resources")
            if limits:
                requests = mapping(resources, "requests", f"{field}.resources")
                container["resources"] = {**resources, "requests": {**limits, **requests}}
    inject_defaults(pod, ranges)
