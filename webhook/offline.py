"""What the webhook would do with manifests, without a cluster: the same decision on a view read from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import msgspec

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import parse_workload_class, parse_workload_policy
from stowplan.model.keys import CHECKPOINT, GROUP
from stowplan.model.profile_codec import KIND as PROFILE_KIND
from stowplan.model.profile_codec import parse_profile
from stowplan.model.reasons import Outcome, Reason
from stowplan.model.workload import WorkloadKey
from webhook.admission import decide
from webhook.autoscalers import (
    HorizontalAutoscaler,
    VerticalAutoscaler,
    project_horizontal,
    project_vertical,
    scaling_of,
    vertical_of,
)
from webhook.containers import PodError, check_shape, read_containers
from webhook.documents import Document, read_files
from webhook.json_patch import copy_json, diff
from webhook.limit_range import LimitRange, parse_limit_range
from webhook.node_room import largest
from webhook.profiles import LearnedProfile, latest, learned_from
from webhook.projections import project_node
from webhook.quota import Quota, parse_quota
from webhook.review import AdmissionRequest
from webhook.state import BUILTIN_PRIORITY_CLASSES, ClusterState, parse_priority_class
from webhook.stores import Entry, NodeFacts, PerTarget, Targeted
from webhook.templates import POD_KINDS, complete, pod_of

_V = TypeVar("_V")
_W = TypeVar("_W")

ASSUMED_ZONES: Final = 3
"""Zones of the unknown cluster, unless the files hold Node objects."""


class PolicyFileError(ValueError):
    """A file of classes, policies or profiles is wrong: names file, document, field and remedy."""


@dataclass(frozen=True, slots=True)
class Result:
    """One answer; the fields of the contract of `stowplan mutate -o json`."""

    pod: Any
    patch: list[dict[str, Any]]
    outcome: Outcome
    reason: Reason
    why: str
    warnings: list[str] = field(default_factory=list)
    bad_input: bool = False
    """The document itself is wrong (exit code 1)."""

    def as_json(self) -> dict[str, Any]:
        """Exactly the contract's keys."""
        return {
            "pod": self.pod,
            "patch": self.patch,
            "outcome": str(self.outcome),
            "reason": str(self.reason),
            "why": self.why,
            "warnings": self.warnings,
        }


def read_state(paths: Iterable[str], standard_input: str = "") -> ClusterState:
    """The view of a cluster with stowplan installed: scheduler alive, gates taken away, built-in classes and what the files add.

    The files may hold WorkloadClass, WorkloadPolicy, LimitRange, ResourceQuota, PriorityClass and Node objects, and
    HorizontalPodAutoscaler (autoscaling/v2) and VerticalPodAutoscaler objects.

    Raises:
        PolicyFileError: a document is none of these, or is wrong.
    """
    found: dict[str, list[Any]] = {kind: [] for kind in _PARSERS}
    for document in read_files(paths, standard_input):
        value = document.value
        if document.error:
            raise PolicyFileError(f"{document.source}: {document.error}")
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind not in _PARSERS:
            raise PolicyFileError(f"{document.source}: kind {kind!r}: write one of {', '.join(_PARSERS)}")
        try:
            found[kind].append(_PARSERS[kind](value))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PolicyFileError(f"{document.source}: {kind}: {_plain(error)}") from error
    nodes = [node.value for node in found["Node"]]
    zones = {node.zone for node in nodes if node.zone}
    priorities = {p.name: p for p in found["PriorityClass"]}
    return ClusterState(
        classes={**BUILTIN_CLASSES, **{c.name: c for c in found["WorkloadClass"]}},
        policies={p.namespace: p for p in found["WorkloadPolicy"]},
        limit_ranges=_by_namespace(found["LimitRange"]),
        quotas=_by_namespace(found["ResourceQuota"]),
        priority_classes={**BUILTIN_PRIORITY_CLASSES, **priorities},
        scheduler_alive=True,
        ungater_alive=True,
        zones=len(zones) or ASSUMED_ZONES,
        node_shapes=largest(node.shape for node in nodes),
        scaling=_by_target(found["HorizontalPodAutoscaler"], scaling_of),
        verticals=_by_target(found["VerticalPodAutoscaler"], vertical_of),
    )


def read_profiles(
    paths: Iterable[str], standard_input: str = "", namespace: str | None = None
) -> dict[WorkloadKey, LearnedProfile]:
    """The profiles of the files by workload, as the webhook would keep them; objects with a checkpoint label are left out.

    Args:
        paths: files; `-` is the standard input.
        standard_input: its text.
        namespace: of objects that name none; None is `default`.

    Raises:
        PolicyFileError: a document is no WorkloadProfile, or a field of it is wrong.
    """
    store = PerTarget[LearnedProfile, LearnedProfile](latest)
    for document in read_files(paths, standard_input):
        value = document.value
        if document.error:
            raise PolicyFileError(f"{document.source}: {document.error}")
        if not isinstance(value, dict) or value.get("kind") != PROFILE_KIND:
            raise PolicyFileError(f"{document.source}: kind: write {PROFILE_KIND} objects of {GROUP}")
        try:
            if CHECKPOINT not in ((value.get("metadata") or {}).get("labels") or {}):
                profile = parse_profile(value)
                unnamed = not (value.get("metadata") or {}).get("namespace")
                store.upsert(learned_from(replace(profile, namespace=namespace) if unnamed and namespace else profile))
        except (ValueError, TypeError, AttributeError) as error:
            raise PolicyFileError(f"{document.source}: {_plain(error)}") from error
    return store.values


def mutate_documents(
    documents: Iterable[Document], state: ClusterState, namespace: str | None = None
) -> Iterator[Result]:
    """One result per document, in order."""
    for document in documents:
        yield mutate_document(document, state, namespace)


def mutate_document(document: Document, state: ClusterState, namespace: str | None = None) -> Result:
    """What the webhook would do with one document. Never raises for bad input."""
    if document.error:
        return _bad(document, document.error)
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return _bad(document, "kind: is missing; write a Kubernetes object with apiVersion, kind and metadata")
    if value["kind"] not in POD_KINDS:
        why = f"{document.source}: a {value['kind']} makes no pods"
        return Result(None, [], Outcome.SKIPPED, Reason.NOT_A_POD_CREATE, why)
    try:
        found = pod_of(value, namespace)
        original = found.pod
        check_shape(original)
        read_containers(original)  # before anything is added, so that errors name what the user wrote
        workload = found.workload
        completed = copy_json(original)
        complete(completed, state.limit_ranges.get(workload.namespace, ()))
    except PodError as error:
        return _bad(document, str(error), Reason.INVALID_POD)
    if found.replicas is not None:
        state = replace(
            state, replicas={(workload.namespace, workload.owner_kind, workload.owner_name): found.replicas}
        )
    verdict = decide(AdmissionRequest(completed, workload.namespace, workload=workload), state)
    if verdict.reason is Reason.INVALID_POD:
        return _bad(document, verdict.why, Reason.INVALID_POD)
    pod = verdict.pod if verdict.pod is not None else original
    return Result(pod, list(diff(original, pod)), verdict.outcome, verdict.reason, verdict.why, list(verdict.warnings))


def _bad(document: Document, error: str, reason: Reason = Reason.UNREADABLE) -> Result:
    return Result(None, [], Outcome.ERROR, reason, f"{document.source}: {error}", bad_input=True)


def _by_namespace(pairs: list[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    grouped: dict[str, tuple[Any, ...]] = {}
    for namespace, value in pairs:
        grouped[namespace] = (*grouped.get(namespace, ()), value)
    return grouped


def _limit_range(obj: Mapping[str, Any]) -> tuple[str, LimitRange]:
    return _namespace(obj), parse_limit_range(obj)


def _quota(obj: Mapping[str, Any]) -> tuple[str, Quota]:
    return _namespace(obj), parse_quota(obj)


def _namespace(obj: Mapping[str, Any]) -> str:
    return str(mapping_of(obj, "metadata").get("namespace") or "default")


def mapping_of(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`. Raises ValueError."""
    value = obj.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key}: is missing; write an object")  # noqa: TRY004 - bad input derives from ValueError
    return value


def _node(obj: Mapping[str, Any]) -> Entry[NodeFacts]:
    mapping_of(obj, "metadata")
    return project_node(msgspec.json.encode(obj))


def _horizontal(obj: Mapping[str, Any]) -> Targeted[HorizontalAutoscaler] | None:
    return project_horizontal(_in_a_namespace(obj))


def _vertical(obj: Mapping[str, Any]) -> Targeted[VerticalAutoscaler] | None:
    return project_vertical(_in_a_namespace(obj))


def _in_a_namespace(obj: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({**obj, "metadata": {**mapping_of(obj, "metadata"), "namespace": _namespace(obj)}})


def _by_target(objects: list[Targeted[_V] | None], combine: Callable[[tuple[_V, ...]], _W]) -> Mapping[WorkloadKey, _W]:
    store = PerTarget[_V, _W](combine)
    store.replace([item for item in objects if item is not None])
    return store.values


def _plain(error: Exception) -> str:
    """The message of our own errors; a missing or wrong field of an API object by its name."""
    return str(error) if isinstance(error, ValueError) else f"field {error} is missing or of the wrong type"


_PARSERS: Final[dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    "WorkloadClass": lambda obj: parse_workload_class(obj, strict=True),
    "WorkloadPolicy": lambda obj: parse_workload_policy(obj, strict=True),
    "LimitRange": _limit_range,
    "ResourceQuota": _quota,
    "PriorityClass": parse_priority_class,
    "Node": _node,
    "HorizontalPodAutoscaler": _horizontal,
    "VerticalPodAutoscaler": _vertical,
}
