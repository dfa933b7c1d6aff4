"""The HTTP face: moves bytes, measures, and lets `extender.deciding.decider` decide. Served over loopback, next to the scheduler."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from extender.answering.explain import explain_decision, explain_plan, explain_waiting
from extender.answering.why_not import why_not
from extender.answering.wire import WireError, decode_args, encode_filter_result, encode_host_priorities
from extender.cluster.cache import Cache
from extender.deciding.decider import FILTER, PRIORITIZE, Decider
from extender.deciding.offered import ExtenderArgs
from extender.metrics import ExtenderMetrics
from stowplan.model.pod import Pod
from stowplan.serving.direct import Answer, Call, refusal

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""15,000 node names of at most 253 characters, quotes and comma (3.7 MiB), and a pod: etcd takes 1.5 MiB, JSON may double it."""


class ExtenderApp:
    """Answers `/filter`, `/prioritize`, for people `/explain` and `/plan`, and for `stowplan moves` `/lifetimes`.

    A body that cannot be answered gets 400 (413 where it is too large): a failure, which `ignorable` passes over.

    Args:
        decider: decides and remembers why.
        cache: the cluster as watched.
        metrics: counts and durations.
        clock: seconds, for durations.
    """

    def __init__(
        self, decider: Decider, cache: Cache, metrics: ExtenderMetrics, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._decider = decider
        self._cache = cache
        self._clock = clock
        self._durations = {verb: metrics.duration.labels(verb) for verb in (FILTER, PRIORITIZE)}

    def __call__(self, call: Call) -> Answer:
        """Answer a call."""
        if call.target == "/filter":
            return _of("POST", call, lambda: self._decide(FILTER, call.body, self._filter))
        if call.target == "/prioritize":
            return _of("POST", call, lambda: self._decide(PRIORITIZE, call.body, self._prioritize))
        parts = urlsplit(call.target)
        match [unquote(part) for part in parts.path.strip("/").split("/")]:
            case ["plan" | "lifetimes" as what]:
                return _of("GET", call, self._plan if what == "plan" else self._lifetimes)
            case ["explain"]:
                query = parse_qs(parts.query)
                return _of("GET", call, lambda: self._explain(_first(query, "uid"), None, _first(query, "node")))
            case ["explain", namespace, name]:
                node = _first(parse_qs(parts.query), "node")
                return _of("GET", call, lambda: self._explain("", (namespace, name), node))
            case _:
                return refusal(HTTPStatus.NOT_FOUND, "paths: /filter, /prioritize, /explain, /plan, /lifetimes")

    def _filter(self, args: ExtenderArgs) -> bytes:
        return encode_filter_result(args, self._decider.filter(args))

    def _prioritize(self, args: ExtenderArgs) -> bytes:
        return encode_host_priorities(self._decider.prioritize(args))

    def _decide(self, verb: str, body: bytes, decide: Callable[[ExtenderArgs], bytes]) -> Answer:
        start = self._clock()
        try:
            answer = decide(decode_args(body))
        except WireError as error:
            return refusal(HTTPStatus.BAD_REQUEST, str(error))
        self._durations[verb].observe(self._clock() - start)
        return Answer(answer)

    def _plan(self) -> Answer:
        return _json(explain_plan(self._decider.view().plan))

    def _lifetimes(self) -> Answer:
        """For how long each node is expected to be in use: one product over all nodes."""
        trouble, nodes = self._decider.trouble, self._decider.view().nodes
        known = nodes.seconds_left() if nodes is not None and trouble is None else None
        return _json({"schema_version": 1, "seconds_left": known})

    def _explain(self, uid: str, name: tuple[str, str] | None, node: str) -> Answer:
        decisions = self._decider.decisions
        found = decisions.by_name(*name) if name else decisions.by_uid(uid)
        waiting = self._waiting(uid, name)
        if waiting is not None and (found is None or waiting.unschedulable):
            return _json(explain_waiting(waiting, self._decider.view().plan))
        if found is None:
            missing = {"error": "no decision about this pod is remembered; it may be too old, or never asked about"}
            return _json(missing, HTTPStatus.NOT_FOUND)
        pod = self._cache.pod(found.uid)
        answer = explain_decision(found, pod.node_name if pod else "")
        if pod is not None and node:
            chosen = found.options[0] if found.node else None
            answer["why_not"] = why_not(pod, node, chosen, self._decider.view())
        return _json(answer)

    def _waiting(self, uid: str, name: tuple[str, str] | None) -> Pod | None:
        """The waiting pod that is asked about, by name or UID."""
        waiting = self._cache.waiting()
        if name is None:
            return next((pod for pod in waiting if pod.uid == uid), None)
        return next((pod for pod in waiting if (pod.namespace, pod.name) == name), None)


def _of(method: str, call: Call, answer: Callable[[], Answer]) -> Answer:
    """The answer, if the path is asked with its method."""
    if call.method != method:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{call.target} wants {method}, not {call.method}")
    return answer()


def _first(query: dict[str, list[str]], key: str) -> str:
    return query.get(key, [""])[0]


def _json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(msgspec.json.encode(value), status)
