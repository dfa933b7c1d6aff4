"""ReplicaSets and Jobs as the webhook keeps them: how many pods they want, and what controls them where their names do not tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from stowplan.kube.codec import ObjectKey
from stowplan.kube.owner_links import OwnerLinks
from stowplan.kube.owner_projection import OwnerLink, project_owner_link
from webhook.projections import project_owner
from webhook.stores import Entry, Replicas


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner."""

    wants: Entry[int]
    link: OwnerLink | None


def project_linked_owner(kind: str) -> Callable[[msgspec.Raw], Owner]:
    """The projection of a kind."""

    def project(raw: msgspec.Raw) -> Owner:
        return Owner(project_owner(raw), project_owner_link(kind, raw))

    return project


class LinkedOwners:
    """Handler of one kind: fills both stores from one watch."""

    def __init__(self, kind: str, replicas: Replicas, links: OwnerLinks) -> None:
        self._replicas = replicas
        self._links = links.handler(kind)

    def replace(self, items: Sequence[Owner]) -> None:
        """The collection is exactly this."""
        self._replicas.replace([item.wants for item in items])
        self._links.replace([item.link for item in items if item.link is not None])

    def upsert(self, item: Owner) -> None:
        """The owner is new or has changed."""
        self._replicas.upsert(item.wants)
        if item.link is not None:
            self._links.upsert(item.link)
        else:
            self._links.delete(ObjectKey(item.wants.namespace, item.wants.name, ""))

    def delete(self, key: ObjectKey) -> None:
        """The owner is gone."""
        self._replicas.delete(key)
        self._links.delete(key)
