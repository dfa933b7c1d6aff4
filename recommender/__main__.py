"""`python -m recommender`: learns and recommends until SIGTERM."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from recommender.service import RecommenderService
from recommender.settings import RecommenderSettings
from recommender.sources.metrics import SourceMetrics
from recommender.sources.metrics_api import MetricsApiSource
from recommender.sources.observation import UsageSource
from recommender.sources.prometheus import PrometheusSource
from recommender.sources.prometheus_api import PrometheusApi, PrometheusSettings
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import ConnectionConfigError
from stowplan.serving.http import Drain
from stowplan.serving.logs import configure_logging
from stowplan.serving.metrics import new_registry
from stowplan.serving.settings import SettingsError, load_settings, parse_flags

log = logging.getLogger("recommender")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the recommender; exit status 2 for settings that make no sense."""
    try:
        flags = parse_flags(RecommenderSettings, list(sys.argv[1:] if argv is None else argv), program="recommender")
        settings = load_settings(RecommenderSettings, os.environ, flags)
        configure_logging(settings.log_level)
        prometheus = prometheus_of(settings)
        connection = Connection.resolve(settings.kubeconfig)
    except (SettingsError, ConnectionConfigError, ValueError) as error:
        sys.stderr.write(f"recommender: {error}\n")
        return 2
    uvloop.run(run(settings, connection, prometheus))
    return 0


def prometheus_of(settings: RecommenderSettings) -> PrometheusSettings | None:
    """How Prometheus is asked; None where usage comes from metrics.k8s.io.

    Raises:
        ValueError: a setting makes no sense; the message names it.
    """
    if not settings.prometheus_url:
        return None
    return PrometheusSettings(
        settings.prometheus_url,
        settings.prometheus_selector,
        token_file=Path(settings.prometheus_token_file) if settings.prometheus_token_file else None,
        ca_file=Path(settings.prometheus_ca_file) if settings.prometheus_ca_file else None,
        tenant=settings.prometheus_tenant,
    )


async def run(settings: RecommenderSettings, connection: Connection, prometheus: PrometheusSettings | None) -> None:
    """Learn and serve until a signal."""
    drain = Drain()
    drain.on_signals()
    async with ApiClient(connection) as api, AsyncExitStack() as stack:
        past = await stack.enter_async_context(PrometheusApi(prometheus)) if prometheus is not None else None

        def source_of(api: ApiClient, metrics: SourceMetrics) -> UsageSource:
            return MetricsApiSource(api, metrics) if past is None else PrometheusSource(past, metrics)

        service = RecommenderService(settings, api, source_of, new_registry())
        await service.run(drain, lambda ports: log.info("health and metrics on port %s", *ports))


if __name__ == "__main__":
    sys.exit(main())
