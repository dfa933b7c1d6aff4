"""A pod's containers as sizing sees them: role, CPU and memory, and which of the numbers the user wrote.

LimitRanger runs before webhooks and writes its defaults into the pod, listing them in an annotation whose format is
that of `plugin/pkg/admission/limitranger` in kubernetes 1.36. Those numbers are the namespace's, not the user's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from stowplan.model.keys import LIMIT_RANGER
from stowplan.model.quantity import QuantityError, parse_amount
from stowplan.model.resources import Amounts, is_sidecar
from webhook.runtimes import Heap, find_heaps

COMPUTE: Final = ("cpu", "memory")
"""The resources stowplan sizes; all others are never touched."""
DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
LISTS: Final = ("containers", "initContainers")

_INJECTED = re.compile(
    r"(?P<resources>[^;]+) (?P<kind>request|limit) for (?P<list>init container|container) (?P<name>\S+)"
)


class PodError(ValueError):
    """A pod that the API server would refuse as it is written: the message names the field, the value and the remedy."""


class Role(StrEnum):
    """What a container is to the pod."""

    MAIN = "main"
    """Named by the default-container annotation, else the first app container."""
    APP = "app"
    SIDECAR = "sidecar"
    """An init container that keeps running (KEP-753)."""
    INIT = "init"


@dataclass(frozen=True, slots=True)
class Container:
    """One container; amounts hold `cpu` (millicores) and `memory` (bytes) only, as they stand in the pod."""

    name: str
    list_name: str
    index: int
    role: Role
    requests: Amounts
    limits: Amounts
    injected: frozenset[tuple[str, str]] = frozenset()
    """(`request` or `limit`, resource) pairs that LimitRanger wrote."""
    heaps: tuple[Heap, ...] = ()
    """Fixed heaps that its settings show, one of a runtime."""

    @property
    def field(self) -> str:
        """Where it stands: `spec.containers[0]`."""
        return f"spec.{self.list_name}[{self.index}]"

    def own_request(self, resource: str) -> int | None:
        """The request the user wrote (or the API server copied from the user's limit)."""
        return None if ("request", resource) in self.injected else self.requests.get(resource)

    def own_limit(self, resource: str) -> int | None:
        """The limit the user wrote."""
        return None if ("limit", resource) in self.injected else self.limits.get(resource)

    def written(self, resource: str) -> bool:
        """Whether the user wrote anything about the resource."""
        return self.own_request(resource) is not None or self.own_limit(resource) is not None


def read_containers(pod: Mapping[str, Any]) -> tuple[Container, ...]:
    """All containers, app containers first.

    Raises:
        PodError: the structure or a CPU or memory quantity is not what the API takes.
    """
    spec = mapping(pod, "spec", "pod")
    annotations = annotations_of(pod)
    injected = parse_injected(annotations.get(LIMIT_RANGER, ""))
    apps = sequence(spec, "containers", "spec")
    if not apps:
        raise PodError("spec.containers: is empty; a pod needs at least one container")
    names = [_name(c, f"spec.containers[{i}]") for i, c in enumerate(apps)]
    seen: set[str] = set()
    default = annotations.get(DEFAULT_CONTAINER, "")
    main = default if default in names else names[0]
    found = []
    for list_name in LISTS:
        for index, raw in enumerate(sequence(spec, list_name, "spec")):
            field = f"spec.{list_name}[{index}]"
            name = _name(raw, field)
            if name in seen:
                raise PodError(f"{field}.name: {name!r} is taken by another container; names are unique in a pod")
            seen.add(name)
            found.append(
                Container(
                    name=name,
                    list_name=list_name,
                    index=index,
                    role=_role(raw, list_name, is_main=name == main),
                    requests=_compute(raw, "requests", field),
                    limits=_compute(raw, "limits", field),
                    injected=injected.get((list_name, name), frozenset()),
                    heaps=find_heaps(raw),
                )
            )
    return tuple(found)


def check_shape(pod: Mapping[str, Any]) -> None:
    """Refuse a spec whose parts that stowplan reads are not of the API's types. Raises PodError.

    The API server sends none such (it decodes before it calls); files read offline may hold anything.
    """
    spec = mapping(pod, "spec", "pod")
    for key in ("nodeSelector", "affinity", "overhead", "resources"):
        mapping(spec, key, "spec")
    for kind in ("requests", "limits"):
        _amounts(mapping(spec, "resources", "spec"), kind, "spec.resources")
    _amounts(spec, "overhead", "spec")
    sequence(spec, "topologySpreadConstraints", "spec")
    for key in ("schedulerName", "priorityClassName", "nodeName"):
        if not isinstance(spec.get(key) or "", str):
            raise PodError(f"spec.{key}: is {_kind(spec[key])}; write a name")
    nodes = mapping(mapping(spec, "affinity", "spec"), "nodeAffinity", "spec.affinity")
    _check_terms(nodes)


def _check_terms(nodes: Mapping[str, Any]) -> None:
    field = "spec.affinity.nodeAffinity"
    required = mapping(nodes, "requiredDuringSchedulingIgnoredDuringExecution", field)
    terms = sequence(required, "nodeSelectorTerms", f"{field}.requiredDuringSchedulingIgnoredDuringExecution")
    for item in sequence(nodes, "preferredDuringSchedulingIgnoredDuringExecution", field):
        if not isinstance(item, dict):
            raise PodError(f"{field}: a preferred term is {_kind(item)}; write an object")
        terms = [*terms, mapping(item, "preference", field)]
    for term in terms:
        expressions = sequence(term, "matchExpressions", field) if isinstance(term, dict) else [None]
        if not all(isinstance(e, dict) for e in expressions):
            raise PodError(f"{field}: a term is no object with matchExpressions; write one")


def check_written(containers: tuple[Container, ...]) -> None:
    """Refuse a request above its limit where both are the user's. Raises PodError."""
    for container in containers:
        for resource in COMPUTE:
            request, limit = container.own_request(resource), container.own_limit(resource)
            if request is not None and limit is not None and request > limit:
                raise PodError(
                    f"{container.field}.resources.requests.{resource}: is above the limit; lower it to the limit or raise the limit"
                )


def parse_injected(annotation: str) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """What LimitRanger says it set: (list name, container name) -> {(`request` | `limit`, resource)}."""
    _, _, text = annotation.partition("LimitRanger plugin set: ")
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for entry in text.split("; "):
        match = _INJECTED.fullmatch(entry.strip())
        if match is not None:
            key = ("containers" if match["list"] == "container" else "initContainers", match["name"])
            resources = {r.strip() for r in match["resources"].split(",")}
            found.setdefault(key, set()).update((match["kind"], r) for r in resources)
    return {key: frozenset(values) for key, values in found.items()}


def annotations_of(pod: Mapping[str, Any]) -> Mapping[str, str]:
    """The pod's annotations. Raises PodError."""
    return _texts(pod, "annotations")


def labels_of(pod: Mapping[str, Any]) -> Mapping[str, str]:
    """The pod's labels. Raises PodError."""
    return _texts(pod, "labels")


def mapping(parent: Mapping[str, Any], key: str, field: str) -> Mapping[str, Any]:
    """The object under `key`, empty where absent. Raises PodError."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PodError(f"{field}.{key}: is {_kind(value)}; write an object")
    return value


def sequence(parent: Mapping[str, Any], key: str, field: str) -> list[Any]:
    """The list under `key`, empty where absent. Raises PodError."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise PodError(f"{field}.{key}: is {_kind(value)}; write a list")
    return value


def _texts(pod: Mapping[str, Any], key: str) -> Mapping[str, str]:
    found = mapping(mapping(pod, "metadata", "pod"), key, "metadata")
    for name, value in found.items():
        if not isinstance(value, str):
            raise PodError(
                f"metadata.{key}[{name!r}]: is {_kind(value)}; write text, quoted where it looks like a number"
            )
    return found


def _name(raw: Any, field: str) -> str:
    if not isinstance(raw, dict):
        raise PodError(f"{field}: is {_kind(raw)}; write an object with name and image")
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise PodError(f"{field}.name: is missing; name the container")
    return name


def _role(raw: Mapping[str, Any], list_name: str, *, is_main: bool) -> Role:
    if list_name == "initContainers":
        return Role.SIDECAR if is_sidecar(raw) else Role.INIT
    return Role.MAIN if is_main else Role.APP


def _compute(raw: Mapping[str, Any], kind: str, field: str) -> dict[str, int]:
    amounts = _amounts(mapping(raw, "resources", field), kind, f"{field}.resources")
    return {resource: amount for resource, amount in amounts.items() if resource in COMPUTE}


def _amounts(parent: Mapping[str, Any], key: str, field: str) -> dict[str, int]:
    amounts = {}
    for resource, value in mapping(parent, key, field).items():
        try:
            amounts[resource] = parse_amount(resource, value)
        except QuantityError as error:
            raise PodError(f"{field}.{key}.{resource}: {error}") from error
    return amounts


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "nothing"
