"""The HTTP side of admission: moves bytes, counts every outcome, never says no. Waits for nothing (docs/decisions/0009)."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry, Counter, Histogram

from stowplan.model.reasons import Outcome, Reason
from stowplan.serving.direct import Answer, Call, refusal
from stowplan.serving.metrics import LATENCY_BUCKETS
from webhook.admission import decide
from webhook.gating import Gate
from webhook.review import AdmissionRequest, ReviewError, encode_response, parse_review
from webhook.state import ClusterState
from webhook.verdict import Verdict

log = logging.getLogger(__name__)

PATH: Final = "/mutate"
DEFAULT_BUDGET_SECONDS: Final = 2.0
"""Our registered timeout, where the API server does not say how much is left of it."""
_SHARE: Final = 0.8
"""Of the budget: when this much is gone an answer without a patch is the safe one."""
_TIMEOUT: Final = re.compile(r"(?P<amount>[0-9]{1,6}(?:\.[0-9]{1,6})?)(?P<unit>ms|s|m)?")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_FINE_BUCKETS: Final = (0.00005, *LATENCY_BUCKETS[:3], 0.00075, *LATENCY_BUCKETS[3:])


class AdmissionService:
    """Answers reviews, POSTed to `/mutate`, from a view of the cluster.

    Args:
        state: the view of now.
        registry: for `stowplan_admission_reviews_total`, `stowplan_admission_duration_seconds` and `stowplan_admission_gates_total`.
        clock: monotonic seconds; the one of the server that calls.
    """

    def __init__(
        self,
        state: Callable[[], ClusterState],
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._clock = clock
        self._reviews = Counter(
            "stowplan_admission_reviews",
            "Admission reviews, by what came of them.",
            ["outcome", "reason"],
            registry=registry,
        )
        self._gates = Counter(
            "stowplan_admission_gates",
            "Pods of namespaces that ask for scheduling gates, by whether one was added.",
            ["outcome"],
            registry=registry,
        )
        self._duration = Histogram(
            "stowplan_admission_duration_seconds",
            "From the received body to the encoded answer.",
            buckets=_FINE_BUCKETS,
            registry=registry,
        )

    def __call__(self, call: Call) -> Answer:
        """Answer a call."""
        path, _, query = call.target.partition("?")
        if path != PATH:
            return refusal(HTTPStatus.NOT_FOUND, f"path: {PATH}")
        if call.method != "POST":
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{PATH} wants POST, not {call.method}")
        status, answer = self.review(call.body, budget_of(query), call.since)
        return Answer(answer, status)

    def review(
        self, body: bytes, budget_seconds: float = DEFAULT_BUDGET_SECONDS, arrived: float | None = None
    ) -> tuple[HTTPStatus, bytes]:
        """HTTP status and body: 200 and "allowed" for whatever has a uid, else 400 (which `failurePolicy: Ignore` forgives)."""
        started = self._clock()
        try:
            request = parse_review(body)
        except ReviewError as error:
            self._reviews.labels(Outcome.ERROR, Reason.UNREADABLE).inc()
            log.warning("unreadable review: %s", error)
            return HTTPStatus.BAD_REQUEST, f'{{"error":"{Reason.UNREADABLE}"}}'.encode()
        late = arrived is not None and started - arrived > budget_seconds * _SHARE
        verdict = _TOO_LATE if late else decide(request, self._state())
        answer = encode_response(request.uid, verdict.patch, verdict.warnings, verdict.audit)
        self._reviews.labels(verdict.outcome, verdict.reason).inc()
        self._duration.observe(self._clock() - started)
        if verdict.gate is not Gate.NONE:
            self._gates.labels(verdict.gate).inc()
        if verdict.outcome is Outcome.ERROR or log.isEnabledFor(logging.DEBUG):
            _log(request, verdict)
        return HTTPStatus.OK, answer


_TOO_LATE: Final = Verdict(
    Outcome.ERROR, Reason.DEADLINE_EXCEEDED, "the API server's deadline was too near for a patch"
)


@lru_cache(maxsize=16)
def budget_of(query: str) -> float:
    """Seconds left according to a query string; an API server's are all the same."""
    return parse_budget(parse_qs(query).get("timeout", [""])[0])


def parse_budget(text: str) -> float:
    """Seconds left according to the API server's `timeout` query parameter (`2s`), our own timeout where it says nothing."""
    match = _TIMEOUT.fullmatch(text)
    return float(match["amount"]) * _UNIT_SECONDS[match["unit"]] if match else DEFAULT_BUDGET_SECONDS


def _log(request: AdmissionRequest, verdict: Verdict) -> None:
    """One line per decision: who, what and why, never the pod."""
    log.log(
        logging.WARNING if verdict.outcome is Outcome.ERROR else logging.DEBUG,
        "%s/%s in %s (review %s, dry run %s): %s",
        verdict.outcome,
        verdict.reason,
        request.namespace,
        request.uid,
        request.dry_run,
        verdict.why,
        exc_info=verdict.fault,
    )
