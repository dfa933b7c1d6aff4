# ruff: noqa: N818 - named like the API's own reasons (NotFound, Conflict), which is what readers look for
"""What can go wrong between us and an API server.

One tree of our own: callers never see a transport's exceptions except as ``__cause__``.
"""

from __future__ import annotations

from typing import Any


class KubeError(Exception):
    """Superclass of every error of this package that is not bad input."""


class ConnectionConfigError(KubeError, ValueError):
    """No usable way to an API server: the message names the source, the value and the remedy."""


class Unreachable(KubeError):
    """No answer: connection refused or reset, TLS failure, timeout, a stream cut off in the middle."""


class BrokenStream(KubeError):
    """What arrives is no list and no watch: a proxy's page, or a line longer than any object can be."""


class TooLarge(KubeError):
    """An answer is longer than the caller is ready to hold."""


class ApiError(KubeError):
    """The API server answered with a failure.

    Attributes:
        status: HTTP status code (or ``code`` of the Status object in a watch's ERROR event).
        reason: machine-readable reason of the Status object, such as ``AlreadyExists``; may be empty.
        message: the server's sentence.
        details: ``details`` of the Status object as raw JSON values, or ``None``.
        retry_after: seconds the server asks us to wait, or ``None``.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: Any = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if reason else f"{status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after


class Unauthorized(ApiError):
    """401: the credentials are missing, wrong or expired."""


class Forbidden(ApiError):
    """403: RBAC, or an admission controller, said no."""


class NotFound(ApiError):
    """404: no such object, or no such resource type (a CRD that is not installed)."""


class Conflict(ApiError):
    """409: a stale ``resourceVersion``, a field owned by another manager, or (reason) ``AlreadyExists``."""


class Gone(ApiError):
    """410: the resource version or continue token has been compacted away; list again."""


class Invalid(ApiError):
    """422: the object does not pass validation; ``details.causes`` names the fields."""


class TooManyRequests(ApiError):
    """429: the server sheds load, or a disruption budget forbids an eviction; see ``retry_after``."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def api_error(
    status: int, reason: str, message: str, details: Any = None, *, retry_after: float | None = None
) -> ApiError:
    """The error class for an HTTP status; plain `ApiError` for a status without a class of its own."""
    return _BY_STATUS.get(status, ApiError)(status, reason, message, details, retry_after=retry_after)
