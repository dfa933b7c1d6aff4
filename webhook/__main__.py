"""`python -m webhook`: serves admission until SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import ConnectionConfigError
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.serving.background import drain_on_failure, raise_failure
from stowplan.serving.health import Readiness, health_app
from stowplan.serving.http import Direct, Drain, Listener, serve
from stowplan.serving.logs import configure_logging
from stowplan.serving.metrics import new_registry
from stowplan.serving.settings import SettingsError, load_settings, parse_flags
from stowplan.serving.tls import ReloadingContext
from webhook.app import AdmissionService
from webhook.cluster_stores import ClusterStores
from webhook.self_signed import CERTIFICATE_FILE, KEY_FILE, ensure_self_signed
from webhook.settings import WebhookSettings
from webhook.watches import ClusterFeed

log = logging.getLogger("webhook")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the webhook; exit status 2 for settings that make no sense."""
    arguments = spell_out_switches(list(sys.argv[1:] if argv is None else argv))
    try:
        settings = load_settings(
            WebhookSettings, os.environ, parse_flags(WebhookSettings, arguments, program="python -m webhook")
        )
        configure_logging(settings.log_level)
        connection = Connection.resolve(settings.kubeconfig)
        if settings.self_signed:
            ensure_self_signed(Path(settings.tls_dir), settings.host, datetime.now(UTC))
    except (SettingsError, ConnectionConfigError, ValueError, OSError) as error:
        sys.stderr.write(f"webhook: {error}\n")
        return 2
    uvloop.run(run(settings, connection))
    return 0


def spell_out_switches(arguments: list[str]) -> list[str]:
    """`--self-signed` alone means `--self-signed true`."""
    spelled = []
    for index, argument in enumerate(arguments):
        spelled.append(argument)
        following = arguments[index + 1] if index + 1 < len(arguments) else "--"
        if argument == "--self-signed" and following.startswith("--"):
            spelled.append("true")
    return spelled


async def run(settings: WebhookSettings, connection: Connection) -> None:
    """Watch and serve until a signal."""
    registry = new_registry()
    folder = Path(settings.tls_dir)
    tls = ReloadingContext(folder / CERTIFICATE_FILE, folder / KEY_FILE, registry=registry)
    drain = Drain()
    drain.on_signals()
    async with ApiClient(connection) as api:
        max_age_s = settings.profile_max_age_days * 86_400
        stores = ClusterStores(profile_max_age_s=max_age_s, fit_to_nodes=settings.fit_to_nodes)
        feed = ClusterFeed(api, stores, ReflectorMetrics(registry))
        service = AdmissionService(feed.state, registry)
        readiness = Readiness({"draining": lambda: not drain.draining, "synced": lambda: feed.complete})
        background = [asyncio.create_task(work) for work in (feed.run(), tls.run(), _freeze_when_synced(feed))]
        # without its feeds the process would serve an ever older view: better to end and be started again
        drain_on_failure(drain, background, "a background task failed; draining")
        try:
            await serve(
                [
                    Listener(Direct(service), settings.host, settings.port, tls.context),
                    Listener(health_app(readiness, registry), settings.metrics_host, settings.metrics_port),
                ],
                drain,
                drain_seconds=settings.drain_seconds,
                listening=lambda ports: log.info("webhook listens on %s, health and metrics on %s", *ports),
            )
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    raise_failure(background)


async def _freeze_when_synced(feed: ClusterFeed) -> None:
    """Keep the long-lived stores out of garbage collections, whose pauses would be request latency."""
    await feed.wait_filled()
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
