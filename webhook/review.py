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
    """What the API server asks. `pod` is raw JSON: its shape is the API server's business and may be newer than us."""

    pod: Mapping[str, Any] | None
    namespace: str
    uid: str = ""
    kind: str = "Pod"
    operation: str = "CREATE"
    subresource: str = ""
    dry_run: bool = False
    workload: Workload | None = None
    """Set where no owner reference tells it (a pod template read from a file)."""


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    request: dict[str, Any]
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
    uid, pod, kind = request.get("uid"), request.get("object"), request.get("kind")
    if not isinstance(uid, str) or not uid:
        raise ReviewError("request.uid: is missing; the API server always sends one")
    kind = kind if isinstance(kind, dict) else {}
    return AdmissionRequest(
        pod=pod if isinstance(pod, dict) else None,
        namespace=_text(request, "namespace"),
        uid=uid,
        kind=_text(kind, "kind") if not kind.get("group") else f"{_text(kind, 'kind')}.{kind['group']}",
        operation=_text(request, "operation"),
        subresource=_text(request, "subResource"),
        dry_run=request.get("dryRun") is True,
    )


def _text(block: Mapping[str, Any], key: str) -> str:
    value = block.get(key)
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
