"""Pods that do not exist yet: a ReplicaSet, StatefulSet or Job says at once how many it wants, and creates them one by one.

Slots are kept by signature, so once the first pod of an owner has shown its signature, the plan can hold slots for the others. Measured
without that: of 594 pods of bursts only 109 found a slot, because a pod is scheduled within milliseconds of its creation.

A slot is a hint and reserves nothing (room is held by `extender.deciding.reservations`, for pods that were asked about), so an expectation
that does not come true costs quality of the plan and never room. An owner whose pods are refused, by a quota for example, stays short:
it is given up after a while, until a pod of it appears or it wants more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from stowplan.kube.projection import Deadline, PodOwner
from stowplan.model.pod import Pod, PodSignature

OwnerKey = tuple[str, str]
"""Namespace and `Kind/name`, as in `PodSignature.owner_key`."""

KINDS: Final = ("Job", "ReplicaSet", "StatefulSet")
MOST_EXPECTED: Final = 200
"""Of one owner: a wish for thousands must not crowd the plan. Each pod that appears makes room for the next."""
PATIENCE_SECONDS: Final = 30.0
"""Without a new pod; controllers create theirs within milliseconds, a rollout waits for readiness in between."""

_TRACKED: Final = tuple(f"{kind}/" for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Template:
    """What was learned of an owner from events: it cannot be derived from the objects of now."""

    signature: PodSignature
    """By which its next pod is expected: that of the pod that appeared last, as it was while that pod waited."""
    given_up: bool = False
    created_s: int = 0
    """When that pod was created: lists are not in that order, and the latest pod says what the next one is like."""

    @property
    def key(self) -> OwnerKey:
        """The owner."""
        return self.signature.namespace, self.signature.owner_key


@dataclass(slots=True)
class _Owner:
    desired: int = 0
    live: int = 0
    signature: PodSignature | None = None
    given_up: bool = False
    created_s: int = 0
    """Of the pod that showed the signature."""


class OwnerTable:
    """Owners, their live pods, and what follows: the pods to expect. All but `overdue` is a function of the events alone.

    Args:
        schedulers: the `schedulerName`s whose pods are expected.
        clock: monotonic seconds; read for `overdue` only.
    """

    def __init__(self, schedulers: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.changes = 0
        """Counts changes of `expected`."""
        self._schedulers = schedulers
        self._clock = clock
        self._owners: dict[OwnerKey, _Owner] = {}
        self._deadlines: dict[OwnerKey, Deadline] = {}
        """Of owners that want pods and have one."""
        self._expected: dict[OwnerKey, tuple[PodSignature, int]] = {}
        self._since: dict[OwnerKey, float] = {}

    def expected(self) -> dict[PodSignature, int]:
        """Pods still to be created, by signature."""
        return dict(self._expected.values())

    @property
    def expects(self) -> bool:
        """Whether any pod is still to be created."""
        return bool(self._expected)

    def want(self, key: OwnerKey, desired: int, deadline: Deadline | None = None) -> bool:
        """The owner wants this many pods, until then; whether that is news. Wanting more than before renews the expectation."""
        owner = self._owners.setdefault(key, _Owner())
        news, more = (desired, deadline) != (owner.desired, self.deadline(key)), desired > owner.desired
        owner.desired = desired
        if deadline is not None:
            self._deadlines[key] = deadline
        else:
            self._deadlines.pop(key, None)
        if more:
            owner.given_up = False
        self._settle(key, renew=more)
        return news

    def replace(self, owners: Iterable[PodOwner], kind: str) -> bool:
        """The owners of this kind that want pods are exactly these; whether that is news."""
        listed = {key_of(owner): owner for owner in owners}
        known = self.wanting(kind)
        for key in known.keys() - listed.keys():
            self.want(key, 0)
        for key, owner in listed.items():
            self.want(key, owner.desired, owner.deadline)
        return known != listed

    def wanted(self, key: OwnerKey) -> int:
        """How many pods the owner wants; 0 where it is not known."""
        owner = self._owners.get(key)
        return 0 if owner is None else owner.desired

    def deadline(self, key: OwnerKey) -> Deadline | None:
        """When the owner ends its pods, if it does and still wants them."""
        return self._deadlines.get(key)

    def wanting(self, kind: str) -> dict[OwnerKey, PodOwner]:
        """The owners of this kind that want pods, as the events said it."""
        prefix = f"{kind}/"
        return {
            key: PodOwner(key[0], kind, key[1].removeprefix(prefix), owner.desired, self.deadline(key))
            for key, owner in self._owners.items()
            if owner.desired and key[1].startswith(prefix)
        }

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """A pod has appeared (`old` is None), changed, or gone (`new` is None)."""
        before, after = _owner_of(old), _owner_of(new)
        if before is not None and before != after:
            self._owners[before].live -= 1
            self._settle(before)
        if new is None or after is None:
            return
        owner = self._owners.setdefault(after, _Owner())
        owner.live += before != after
        if self._teaches(old, new) and new.created_s >= owner.created_s:
            owner.signature, owner.created_s = new.signature, new.created_s
        if old is None:
            owner.given_up = False
        self._settle(after, renew=old is None)

    def give_up(self, key: OwnerKey) -> None:
        """Expect no pod of this owner until one appears or it wants more. Ignored where none is expected."""
        if key in self._expected:
            self._owners[key].given_up = True
            self._settle(key)

    def overdue(self) -> list[OwnerKey]:
        """Owners of which pods are expected and none has appeared for `PATIENCE_SECONDS`."""
        limit = self._clock() - PATIENCE_SECONDS
        return [key for key, since in self._since.items() if since <= limit]

    def templates(self) -> list[Template]:
        """What was learned of the owners."""
        return [
            Template(o.signature, o.given_up, o.created_s) for o in self._owners.values() if o.signature is not None
        ]

    def replace_templates(self, templates: Iterable[Template]) -> None:
        """Exactly this was learned, whatever was before."""
        learned = {template.key: template for template in templates}
        for key in [key for key in self._owners if key not in learned]:
            owner = self._owners[key]
            owner.signature, owner.given_up, owner.created_s = None, False, 0
            self._settle(key)
        for template in learned.values():
            self.learn(template)

    def learn(self, template: Template) -> None:
        """This was learned of an owner; unknown owners are ignored."""
        owner = self._owners.get(template.key)
        if owner is not None:
            owner.signature, owner.given_up = template.signature, template.given_up
            owner.created_s = template.created_s
            self._settle(template.key)

    def _teaches(self, old: Pod | None, new: Pod) -> bool:
        """Whether the next pod will be like this one: it is new, or has changed while waiting, not by being bound."""
        fresh = old is None or (not new.node_name and new.signature != old.signature)
        return fresh and new.signature.scheduler_name in self._schedulers and not new.signature.unplannable

    def _settle(self, key: OwnerKey, *, renew: bool = False) -> None:
        """Derive what is expected of the owner; forget one that neither wants nor has a pod."""
        owner = self._owners[key]
        short = owner.desired - owner.live
        if short <= 0:
            owner.given_up = False
        old, new = self._expected.get(key), None
        if short > 0 and owner.signature is not None and not owner.given_up:
            new = self._expected[key] = (owner.signature, min(short, MOST_EXPECTED))
            if renew or old is None:
                self._since[key] = self._clock()
        elif old is not None:
            del self._expected[key], self._since[key]
        self.changes += old != new
        if not owner.desired and not owner.live:
            del self._owners[key]


def _owner_of(pod: Pod | None) -> OwnerKey | None:
    """The owner for which this pod counts as live. One that is being deleted does not: its owner replaces it."""
    if pod is None or pod.deleting or not pod.signature.owner_key.startswith(_TRACKED):
        return None
    return pod.signature.namespace, pod.signature.owner_key


def key_of(owner: PodOwner) -> OwnerKey:
    """The key of an owner as the API knows it."""
    return owner.namespace, f"{owner.kind}/{owner.name}"
