"""What `stowplan recommend` reads: WorkloadProfiles, and the pods (or templates) whose requests they are held against."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from recommender.proposing.proposals import Amounts, InForce
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import Forbidden, NotFound
from stowplan.kube.paths import DEPLOYMENTS, JOBS, PODS, STATEFUL_SETS, WORKLOAD_PROFILES, Resource
from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import KIND, ProfileError, parse_profile
from webhook.containers import PodError, Role, read_containers
from webhook.documents import Document, read_files
from webhook.templates import POD_KINDS, PodOf, pod_of

Key = tuple[str, str, str]
"""Namespace, kind and name of a workload."""
Pods = dict[Key, list[InForce]]
"""Requests of each pod, by workload."""
CHECKPOINT: Final = "stowplan.dev/checkpoint"
"""Objects with this label are the recommender's own memory, not profiles of workloads."""
_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_OWNERS: Final[Mapping[str, Resource]] = {
    "Deployment": DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "DaemonSet": Resource("apps", "v1", "daemonsets"),
    "Job": JOBS,
    "CronJob": Resource("batch", "v1", "cronjobs"),
}


@dataclass
class Inputs:
    """Everything that was read."""

    profiles: list[WorkloadProfile] = field(default_factory=list)
    in_force: dict[Key, InForce] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What could not be used, one sentence each."""


def from_documents(documents: Iterable[Document], namespace: str | None) -> Inputs:
    """Profiles and, if the files hold them too, Pods and workload objects; of one namespace unless it is None."""
    found = Inputs()
    pods: Pods = {}
    templates: dict[Key, InForce] = {}
    for document in documents:
        value = document.value
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if document.error or not isinstance(value, Mapping):
            found.problems.append(f"{document.source}: {document.error or 'is no object; write a WorkloadProfile'}")
        elif kind == KIND:
            _add_profile(found, value, str(document.source))
        elif kind == "Pod":
            _add_pod(found, pods, value, str(document.source))
        elif kind in POD_KINDS:
            _add_template(found, templates, value, str(document.source))
        else:
            found.problems.append(
                f"{document.source}: kind {kind!r} is not known here; give {KIND}, Pod or workload objects"
            )
    found.in_force = {**templates, **_in_force(pods)}
    if namespace is not None:
        found.profiles = [profile for profile in found.profiles if profile.namespace == namespace]
    return found


def from_files(paths: Sequence[str], standard_input: str, namespace: str | None) -> Inputs:
    """As `from_documents`, of files (`-`: the standard input)."""
    return from_documents(read_files(paths, standard_input), namespace)


def from_cluster(connection: Connection, namespace: str | None) -> Inputs:
    """Profiles of a namespace (None: of all) and what their workloads request.

    Raises:
        KubeError: the API server cannot be asked, or refuses.
    """
    return asyncio.run(_from_cluster(connection, namespace))


async def _from_cluster(connection: Connection, namespace: str | None) -> Inputs:
    found = Inputs()
    async with ApiClient(connection) as api:
        profiles, _ = await api.list(WORKLOAD_PROFILES.path(namespace), labelSelector=f"!{CHECKPOINT}")
        for value in profiles:
            _add_profile(found, value, f"{KIND} {_name(value)}")
        if not found.profiles:
            return found
        running, _ = await api.list(PODS.path(namespace), fieldSelector="status.phase!=Succeeded,status.phase!=Failed")
        pods: Pods = {}
        for value in running:
            _add_pod(found, pods, value, f"Pod {_name(value)}")
        found.in_force = _in_force(pods)
        templates = await _templates(api, found, namespace)
        found.in_force = {**templates, **found.in_force}
    return found


async def _templates(api: ApiClient, found: Inputs, namespace: str | None) -> dict[Key, InForce]:
    """Of the owners that have a profile but no pod now; one list per kind that is needed."""
    missing = {profile.key for profile in found.profiles if profile.key not in found.in_force}
    templates: dict[Key, InForce] = {}
    for kind in sorted({kind for _, kind, _ in missing} & set(_OWNERS)):
        try:
            owners, _ = await api.list(_OWNERS[kind].path(namespace))
        except (Forbidden, NotFound) as error:
            found.problems.append(
                f"{_OWNERS[kind].label}: {error}; workloads of kind {kind} without pods show no current request"
            )
            continue
        for item in owners:
            owner = {**item, "kind": kind}  # lists leave it out
            metadata = owner.get("metadata") or {}
            if (metadata.get("namespace"), kind, metadata.get("name")) in missing:
                _add_template(found, templates, owner, f"{kind} {_name(owner)}")
    return templates


def _add_profile(found: Inputs, value: Mapping[str, Any], source: str) -> None:
    if CHECKPOINT in ((value.get("metadata") or {}).get("labels") or {}):
        return
    try:
        found.profiles.append(parse_profile(value))
    except ProfileError as error:
        found.problems.append(f"{source}: {error}")


def _add_pod(found: Inputs, pods: Pods, value: Mapping[str, Any], source: str) -> None:
    try:
        made = pod_of({**value, "kind": "Pod"}, None)
        if _phase(value) not in _FINISHED:
            pods.setdefault(_key(made), []).append(_requests(made, 1))
    except PodError as error:
        found.problems.append(f"{source}: {error}")


def _add_template(found: Inputs, templates: dict[Key, InForce], value: Mapping[str, Any], source: str) -> None:
    try:
        made = pod_of(value, None)
        if made.replicas:
            templates[_key(made)] = _requests(made, made.replicas)
    except PodError as error:
        found.problems.append(f"{source}: {error}")


def _in_force(pods: Pods) -> dict[Key, InForce]:
    return {
        key: InForce(
            tuple(requests for one in of for requests in one.pods), frozenset(name for one in of for name in one.init)
        )
        for key, of in pods.items()
    }


def _key(made: PodOf) -> Key:
    return made.workload.namespace, made.workload.kind, made.workload.name


def _requests(made: PodOf, pods: int) -> InForce:
    containers = read_containers(made.pod)
    requests: Mapping[str, Amounts] = {container.name: container.requests for container in containers}
    return InForce((requests,) * pods, frozenset(c.name for c in containers if c.role is Role.INIT))


def _phase(value: Mapping[str, Any]) -> Any:
    status = value.get("status")
    return status.get("phase") if isinstance(status, Mapping) else None


def _name(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
