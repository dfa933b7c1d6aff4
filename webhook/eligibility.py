"""Whether a request is ours at all."""

from __future__ import annotations

from stowplan.model.keys import INJECT, MIRROR_POD, MODE
from stowplan.model.reasons import Reason
from webhook.containers import PodError, annotations_of, labels_of, mapping, sequence
from webhook.review import AdmissionRequest


def skip_reason(request: AdmissionRequest) -> Reason | None:
    """Why to leave the request alone, or None.

    Raises:
        PodError: the pod's metadata are not what the API takes.
    """
    if request.kind != "Pod" or request.operation != "CREATE" or request.subresource:
        return Reason.NOT_A_POD_CREATE
    pod = request.pod
    if pod is None:
        raise PodError("request.object: is no object; a CREATE of a pod carries the pod")
    if MIRROR_POD in annotations_of(pod) or _owned_by_node(request):
        return Reason.MIRROR_POD
    labels = labels_of(pod)
    if labels.get(MODE) == "off":
        return Reason.MODE_OFF
    if labels.get(INJECT) == "disabled":
        return Reason.INJECT_DISABLED
    return None


def _owned_by_node(request: AdmissionRequest) -> bool:
    owners = sequence(mapping(request.pod or {}, "metadata", "pod"), "ownerReferences", "metadata")
    return any(isinstance(owner, dict) and owner.get("kind") == "Node" for owner in owners)
