"""The pods of the cluster as the recommender looks them up: by name, by workload, and whose they are through the owner chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from recommender.live.feeding import Place
from recommender.workloads.pods import PodView, Template
from stowplan.kube.codec import ObjectKey
from stowplan.kube.owner_links import OwnerLinks
from stowplan.model.keys import SYSTEM_NAMESPACE
from stowplan.model.workload import PodNames, Workload, WorkloadKey, guesses, workload_of

NOT_LEARNED: Final = frozenset({"kube-system", "kube-node-lease", "kube-public", SYSTEM_NAMESPACE})
"""Namespaces whose pods are never sized (as in the webhook's configuration), so nothing is learned about them."""


@dataclass(frozen=True, slots=True)
class Running:
    """The pods of a workload, as they are now."""

    workload: Workload
    template: Template
    """Of the newest pod."""
    replicas: int
    """Pods that run."""


class PodIndex:
    """Handler of the pods' reflector.

    Args:
        links: what is known of owners.
        known: workloads that pods which are gone may have belonged to.
    """

    def __init__(self, links: OwnerLinks, known: Collection[WorkloadKey] = frozenset()) -> None:
        self._links = links
        self._known = known
        self._pods: dict[tuple[str, str], PodView] = {}
        self._workloads: dict[tuple[str, str], Workload] = {}
        self.fresh = False
        """Whether pods have come that nobody has asked for yet; set to False by who looks."""

    def __len__(self) -> int:
        return len(self._pods)

    def replace(self, items: Sequence[PodView]) -> None:
        """The pods are exactly these."""
        self._pods = {}
        self._workloads = {}
        for item in items:
            self.upsert(item)

    def upsert(self, item: PodView) -> None:
        """The pod is new or has changed."""
        namespace = item.template.namespace
        if namespace in NOT_LEARNED:
            return
        self.fresh = self.fresh or (namespace, item.name) not in self._pods
        self._pods[namespace, item.name] = item

    def delete(self, key: ObjectKey) -> None:
        """The pod is gone."""
        self._pods.pop((key.namespace, key.name), None)
        self._workloads.pop((key.namespace, key.name), None)

    def alive(self, namespace: str, pod: str) -> bool:
        """Whether a pod is there and not finished."""
        view = self._pods.get((namespace, pod))
        return view is not None and not view.finished

    def preparing(self, namespace: str, pod: str) -> bool:
        """Whether a pod is there and its init containers have not all ended."""
        view = self._pods.get((namespace, pod))
        return view is not None and view.preparing

    def workload(self, view: PodView) -> Workload:
        """Whose a pod is, decided when it is first asked for: by then the watches have seen its owner."""
        place = view.template.namespace, view.name
        found = self._workloads.get(place)
        if found is None:
            template = view.template
            names = PodNames(template.namespace, view.name, template.generate_name, dict(template.labels))
            found = workload_of(names, template.owner, self._links.of)
            if place in self._pods:
                self._workloads[place] = found
        return found

    def locate(self, namespace: str, pod: str, container: str) -> Place | None:
        """Where the samples of a container belong (a `Locate`); of pods that are gone the workload is guessed by name."""
        if namespace in NOT_LEARNED:
            return None
        view = self._pods.get((namespace, pod))
        if view is None:
            return self._gone(namespace, pod)
        template = view.template
        spec = next((c for c in template.all_containers if c.name == container), None)
        if spec is None:  # an ephemeral container: no template asks for it
            return None
        started_s, init = dict(view.started).get(container, 0), spec in template.init_containers
        return Place(self.workload(view), not template.restarts_always, started_s, spec.cpu_limit, init)

    def _gone(self, namespace: str, pod: str) -> Place | None:
        for kind, name in guesses(pod):
            if WorkloadKey(namespace, kind, name) in self._known:
                return Place(Workload(namespace, kind, name), by_runs=kind in ("CronJob", "Job"))
        return None

    def running(self) -> Mapping[WorkloadKey, Running]:
        """All workloads that have pods."""
        newest: dict[WorkloadKey, PodView] = {}
        replicas: dict[WorkloadKey, int] = {}
        for view in self._pods.values():
            key = self.workload(view).key
            replicas[key] = replicas.get(key, 0) + view.running
            other = newest.get(key)
            if other is None or (view.created_s, view.name) > (other.created_s, other.name):
                newest[key] = view
        return {key: Running(self.workload(view), view.template, replicas[key]) for key, view in newest.items()}
