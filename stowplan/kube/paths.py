"""Resource types and the URL paths of the Kubernetes API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type as the API addresses it.

    Attributes:
        group: API group, empty for the core group.
        version: API version, such as ``v1``.
        plural: plural name in paths, such as ``pods``.
        namespaced: whether objects live in a namespace.
    """

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of one object, or of the collection when ``name`` is absent.

        A namespaced collection without a namespace is the one of all namespaces.

        Raises:
            ValueError: a namespace for a cluster-scoped type, a named object of a namespaced type without
                its namespace, or a subresource without a name.
        """
        if namespace is not None and not self.namespaced:
            raise ValueError(f"namespace {namespace!r}: {self.plural} are cluster-scoped; leave it out")
        if name is not None and self.namespaced and namespace is None:
            raise ValueError(f"{self.plural} {name!r}: objects of this type need a namespace")
        if subresource is not None and name is None:
            raise ValueError(f"subresource {subresource!r} of {self.plural} needs the object's name")
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = [] if namespace is None else ["namespaces", namespace]
        parts = [*scope, self.plural, *(part for part in (name, subresource) if part is not None)]
        return "/".join([root, *(_segment(part) for part in parts)])

    @property
    def label(self) -> str:
        """``plural.group`` as kubectl prints it, ``pods`` for the core group; used as a metrics label."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _segment(text: str) -> str:
    if text in {"", ".", ".."}:
        raise ValueError(f"path segment {text!r}: names of namespaces and objects are not empty or dots")
    return quote(text, safe="")


PODS: Final = Resource("", "v1", "pods")
NODES: Final = Resource("", "v1", "nodes", namespaced=False)
NAMESPACES: Final = Resource("", "v1", "namespaces", namespaced=False)
LIMIT_RANGES: Final = Resource("", "v1", "limitranges")
RESOURCE_QUOTAS: Final = Resource("", "v1", "resourcequotas")
SECRETS: Final = Resource("", "v1", "secrets")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps")
PRIORITY_CLASSES: Final = Resource("scheduling.k8s.io", "v1", "priorityclasses", namespaced=False)
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments")
JOBS: Final = Resource("batch", "v1", "jobs")
EVENTS: Final = Resource("", "v1", "events")
POD_METRICS: Final = Resource("metrics.k8s.io", "v1beta1", "pods")
HORIZONTAL_AUTOSCALERS: Final = Resource("autoscaling", "v2", "horizontalpodautoscalers")
VERTICAL_AUTOSCALERS: Final = Resource("autoscaling.k8s.io", "v1", "verticalpodautoscalers")
POD_DISRUPTION_BUDGETS: Final = Resource("policy", "v1", "poddisruptionbudgets")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases")
MUTATING_WEBHOOK_CONFIGURATIONS: Final = Resource(
    "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", namespaced=False
)
CRDS: Final = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
WORKLOAD_CLASSES: Final = Resource("stowplan.dev", "v1alpha1", "workloadclasses", namespaced=False)
WORKLOAD_POLICIES: Final = Resource("stowplan.dev", "v1alpha1", "workloadpolicies")
WORKLOAD_PROFILES: Final = Resource("stowplan.dev", "v1alpha1", "workloadprofiles")
