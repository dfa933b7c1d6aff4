"""Liveness, readiness and metrics, as an application of its own on a plain port."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)


class Readiness:
    """Named checks; ready when all of them hold.

    Args:
        checks: name to a function without side effects or waiting, true when fine.
    """

    def __init__(self, checks: Mapping[str, Callable[[], bool]] | None = None) -> None:
        self._checks = dict(checks or {})

    def add(self, name: str, check: Callable[[], bool]) -> None:
        """Add a check. Raises `ValueError` when the name is taken."""
        if name in self._checks:
            raise ValueError(f"readiness check {name!r} exists already; choose another name")
        self._checks[name] = check

    def not_ready(self) -> list[str]:
        """Names of the checks that do not hold, sorted; a check that raises does not hold."""
        return sorted(name for name, check in self._checks.items() if not _holds(name, check))


def _holds(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        log.exception("readiness check %s failed", name)
        return False


def health_app(readiness: Readiness, registry: CollectorRegistry) -> web.Application:
    """The application: ``/healthz``, ``/readyz``, ``/metrics``.

    ``/healthz`` answers whenever the event loop turns, and says nothing about what it depends on: restarting
    us would not heal an API server. ``/readyz`` answers 503 and the names of the failing checks.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        missing = readiness.not_ready()
        return web.json_response({"ready": not missing, "not_ready": missing}, status=503 if missing else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app
