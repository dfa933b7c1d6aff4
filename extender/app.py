"""The HTTP face: moves bytes, measures, and lets `extender.decider` decide. Served over loopback, next to the scheduler."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from aiohttp import web

from extender.cache import Cache
from extender.decider import FILTER, PRIORITIZE, Decider
from extender.explain import explain_decision, explain_plan, explain_waiting
from extender.metrics import ExtenderMetrics
from extender.why_not import why_not
from extender.wire import ExtenderArgs, WireError, decode_args, encode_filter_result, encode_host_priorities
from stowplan.model.pod import Pod
from stowplan.serving.http import make_app

MAX_BODY_BYTES = 8 * 1024 * 1024
"""15,000 node names of at most 253 characters, quotes and comma (3.7 MiB), and a pod: etcd takes 1.5 MiB, JSON may double it."""

_JSON = "application/json"


def extender_app(
    decider: Decider, cache: Cache, metrics: ExtenderMetrics, clock: Callable[[], float] = time.perf_counter
) -> web.Application:
    """The application: `/filter`, `/prioritize`, and for people `/explain` and `/plan`.

    A body that cannot be answered gets 400 (413 where it is too large): a failure, which `ignorable` passes over.
    """

    async def filter_(request: web.Request) -> web.Response:
        return _answer(await request.read(), FILTER, lambda args: encode_filter_result(args, decider.filter(args)))

    async def prioritize(request: web.Request) -> web.Response:
        return _answer(await request.read(), PRIORITIZE, lambda args: encode_host_priorities(decider.prioritize(args)))

    def _answer(body: bytes, verb: str, decide: Callable[[ExtenderArgs], bytes]) -> web.Response:
        start = clock()
        try:
            answer = decide(decode_args(body))
        except WireError as error:
            return web.Response(text=str(error), status=400)
        metrics.duration.labels(verb).observe(clock() - start)
        return web.Response(body=answer, content_type=_JSON)

    async def explain(request: web.Request) -> web.Response:
        if "name" in request.match_info:
            found = decider.decisions.by_name(request.match_info["namespace"], request.match_info["name"])
        else:
            found = decider.decisions.by_uid(request.query.get("uid", ""))
        waiting = _waiting(cache, request)
        if waiting is not None and (found is None or waiting.unschedulable):
            answer = explain_waiting(waiting, decider.view().plan)
            return web.Response(body=msgspec.json.encode(answer), content_type=_JSON)
        if found is None:
            missing = {"error": "no decision about this pod is remembered; it may be too old, or never asked about"}
            return web.Response(body=msgspec.json.encode(missing), status=404, content_type=_JSON)
        pod = cache.pod(found.uid)
        answer = explain_decision(found, pod.node_name if pod else "")
        if pod is not None and request.query.get("node"):
            chosen = found.options[0] if found.node else None
            answer["why_not"] = why_not(pod, request.query["node"], chosen, decider.view())
        return web.Response(body=msgspec.json.encode(answer), content_type=_JSON)

    async def plan(_: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(explain_plan(decider.view().plan)), content_type=_JSON)

    app = make_app(MAX_BODY_BYTES)
    app.add_routes(
        [
            web.post("/filter", filter_),
            web.post("/prioritize", prioritize),
            web.get("/explain", explain),
            web.get("/explain/{namespace}/{name}", explain),
            web.get("/plan", plan),
        ]
    )
    return app


def _waiting(cache: Cache, request: web.Request) -> Pod | None:
    """The waiting pod that is asked about, by name or UID."""
    if "name" not in request.match_info:
        return next((pod for pod in cache.waiting() if pod.uid == request.query.get("uid")), None)
    wanted = request.match_info["namespace"], request.match_info["name"]
    return next((pod for pod in cache.waiting() if (pod.namespace, pod.name) == wanted), None)
