"""The least that any extender costs: it names the first node offered, and neither knows the cluster nor decides anything.

Run beside the scheduler on the same HTTP server as ours; what it loses against the scheduler alone is the price of the call, and no
narrowing extender on this server can be faster.
"""

from __future__ import annotations

import sys

import uvloop
from aiohttp import web

from extender.answering.app import MAX_BODY_BYTES
from extender.answering.wire import decode_args, encode_filter_result
from extender.deciding.offered import OfferedNames
from stowplan.serving.direct import Answer, Call
from stowplan.serving.http import Direct, Drain, Listener, make_app, serve


def _filter(call: Call) -> Answer:
    args = decode_args(call.body)
    first = args.names.encoded.split(b'"', 2)[1].decode() if isinstance(args.names, OfferedNames) else args.names[0]
    return Answer(encode_filter_result(args, [first]))


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _serve(port: int, metrics_port: int) -> None:
    drain = Drain()
    drain.on_signals()
    health = make_app()
    health.add_routes([web.get("/readyz", _ready)])
    listeners = [
        Listener(Direct(_filter, MAX_BODY_BYTES), "127.0.0.1", port),
        Listener(health, "127.0.0.1", metrics_port),
    ]
    await serve(listeners, drain, drain_seconds=0)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
