"""Start of the extender: settings, then a supervisor that runs this program again as the server."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from extender.allocator import give_back_free_memory
from extender.planning import planner_of
from extender.service import ExtenderService
from extender.settings import ExtenderSettings
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import ConnectionConfigError
from stowplan.serving.http import Drain
from stowplan.serving.logs import configure_logging
from stowplan.serving.metrics import new_registry
from stowplan.serving.settings import load_settings, parse_flags
from stowplan.serving.supervisor import run_supervised

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the extender; the exit status. A setting that makes no sense ends the start with its message and status 2."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        settings = load_settings(ExtenderSettings, os.environ, parse_flags(ExtenderSettings, given, program="extender"))
        configure_logging(settings.log_level)
        if settings.supervise:
            return run_supervised([sys.executable, "-m", "extender", *given, "--supervise=false"])
        give_back_free_memory()
        connection = Connection.resolve(settings.kubeconfig)
    except (ValueError, ConnectionConfigError) as error:
        sys.stderr.write(f"extender: {error}\n")
        return 2
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, connection))
    return 0


async def _serve(settings: ExtenderSettings, connection: Connection) -> None:
    drain = Drain()
    drain.on_signals()
    async with ApiClient(connection) as api:
        service = ExtenderService(settings, api, partial(planner_of, settings), new_registry())
        await service.run(drain, lambda ports: log.info("listening on ports %s", ports))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where there is one (a fifth more requests, measured)."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not to be had on every platform

    return uvloop.new_event_loop
