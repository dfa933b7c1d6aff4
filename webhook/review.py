"""The wire: AdmissionReview v1 in and out (`admission.k8s.io/v1`)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from webhook.workload import Workload

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"


class ReviewError(ValueError):
    """A body that is no AdmissionReview v1 with a uid: nothing can be answered to it."""


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What the API server asks. The pod is raw JSON: its shape is the API server's business and may be newer than us."""

    pod: Mapping[str, Any] | None
    """Without `metadata.managedFields` where it came over the wire: half of a pod's bytes, which no decision reads and no patch touches."""
    namespace: str
    uid: str = ""
    kind: str = "Pod"
    operation: str = "CREATE"
    subresource: str = ""
    dry_run: bool = False
    workload: Workload | None = None
    """Set where no owner reference tells it (a pod template read from a file)."""


class _Request(msgspec.Struct, rename="camel"):
    """The fields that are read, of whatever type they are; the others (user, options) are passed over while decoding."""

    uid: Any = None
    kind: Any = None
    namespace: Any = None
    operation: Any = None
    sub_resource: Any = None
    dry_run: Any = None
    object: Any = None


class _Review(msgspec.Struct, rename="camel"):
    request: _Request
    api_version: str = ""
    kind: str = ""


_DECODER: Final = msgspec.json.Decoder(_Review)


def parse_review(body: bytes) -> AdmissionRequest:
    """The request of a review.

    Raises:
        ReviewError: not JSON, not AdmissionReview v1, or without a uid.
    """
    try:
        review = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ReviewError(f"body: is no AdmissionReview: {error}; send {API_VERSION} JSON") from error
    if review.api_version != API_VERSION or review.kind != KIND:
        raise ReviewError(
            f"apiVersion {review.api_version!r}, kind {review.kind!r}: not served; register admissionReviewVersions: [v1]"
        )
    request = review.request
    if not isinstance(request.uid, str) or not request.uid:
        raise ReviewError("request.uid: is missing; the API server always sends one")
    kind = request.kind if isinstance(request.kind, dict) else {}
    name, group = _text(kind.get("kind")), kind.get("group")
    return AdmissionRequest(
        pod=_without_managed_fields(request.object) if isinstance(request.object, dict) else None,
        namespace=_text(request.namespace),
        uid=request.uid,
        kind=f"{name}.{group}" if group else name,
        operation=_text(request.operation),
        subresource=_text(request.sub_resource),
        dry_run=request.dry_run is True,
    )


def _without_managed_fields(pod: dict[str, Any]) -> dict[str, Any]:
    metadata = pod.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return pod


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def encode_response(
    uid: str, patch: Sequence[Mapping[str, Any]], warnings: Sequence[str], audit: Mapping[str, str]
) -> bytes:
    """The answer: always allowed; `patch` and `patchType` go together or not at all (the API server insists)."""
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(patch)).decode("ascii")
    if warnings:
        response["warnings"] = list(warnings)
    if audit:
        response["auditAnnotations"] = dict(audit)
    return msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})
