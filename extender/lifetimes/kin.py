"""What a pod's life is learned by: pods of equal requests, of one workload over time, and of one owner."""

from __future__ import annotations

import re
from typing import Final

from stowplan.model.pod import PodSignature
from stowplan.model.resources import PODS

Path = tuple[object, ...]

_FURNITURE: Final = ("DaemonSet/", "Node/")
"""Owners whose pods come and go with their node (Node: static pods), so that they keep no node in use."""
_SUFFIXES: Final = {
    "ReplicaSet": re.compile(r"-[bcdf-hj-np-tv-xz2456789]{6,10}$"),
    "Job": re.compile(r"-(?:\d{8,}|[bcdf-hj-np-tv-xz2456789]{5})$"),
}
"""What controllers append: a Deployment the hash of the template, a CronJob minutes since 1970, `generateName` five characters."""


def keeps_nodes_in_use(signature: PodSignature) -> bool:
    """Whether such a pod is a reason to keep a node."""
    return not signature.owner_key.startswith(_FURNITURE)


def path_of(signature: PodSignature, uid: str) -> Path:
    """From the most general group to the owner, which is the last entry; a pod without an owner is its own."""
    shape = tuple((resource, amount) for resource, amount in signature.requests if resource != PODS)
    if not signature.owner_key:
        return (shape, uid)
    owner = (signature.namespace, signature.owner_key)
    kind, _, name = signature.owner_key.partition("/")
    suffix = _SUFFIXES.get(kind)
    stem = suffix.sub("", name) if suffix is not None else name
    return (shape, owner) if stem == name else (shape, (signature.namespace, kind, stem), owner)
