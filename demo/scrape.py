"""Latency histograms of the services of one environment, scraped before and after a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from demo.environment import Environment
from demo.errors import DemoError
from demo.metrics import API_SERVER, DECISIONS, EXTENDER, WEBHOOK, Histogram, read_counter, read_histogram
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import KubeError

_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


@dataclass(frozen=True, slots=True)
class Scrape:
    """The histograms at one moment; empty where there is no such service."""

    webhook: Histogram
    extender: Histogram
    admission: Histogram
    """Of our webhook, as the API server sees it."""
    decisions: Mapping[str, int] = field(default_factory=dict)
    """Of the extender, by outcome."""

    def since(self, earlier: "Scrape") -> "Scrape":
        """What was observed between two scrapes."""
        return Scrape(
            self.webhook.minus(earlier.webhook),
            self.extender.minus(earlier.extender),
            self.admission.minus(earlier.admission),
            {name: count - earlier.decisions.get(name, 0) for name, count in self.decisions.items()},
        )


async def scrape(api: ApiClient, environment: Environment) -> Scrape:
    """Read all of it.

    Raises:
        DemoError: a service of ours does not answer.
    """
    webhook = await _pages(api, environment.webhook_pages)
    extender = await _pages(api, environment.extender_pages)
    return Scrape(
        read_histogram(webhook, WEBHOOK),
        read_histogram(extender, EXTENDER),
        await _admission(api) if environment.opted_in else Histogram(),
        read_counter(extender, DECISIONS, "outcome"),
    )


async def _pages(api: ApiClient, addresses: tuple[str, ...]) -> str:
    """The metrics of all replicas, one after the other; empty without any."""
    return "\n".join([await _page(api, address) for address in addresses])


async def _page(api: ApiClient, url: str) -> str:
    """A /metrics page, at a URL or at a path below the API server."""
    try:
        if url.startswith("/"):
            return (await api.get_bytes(url)).decode()
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            response.raise_for_status()
            return await response.text()
    except (aiohttp.ClientError, TimeoutError, KubeError) as error:
        raise DemoError(
            f"{url} does not answer: {str(error) or type(error).__name__}; see the service's log"
        ) from error


async def _admission(api: ApiClient) -> Histogram:
    """The API server's view; empty where its metrics are not ours to read, as on many managed clusters."""
    try:
        page = (await api.get_bytes("/metrics")).decode()
    except KubeError:
        return Histogram()
    return read_histogram(page, API_SERVER, {"type": "admit"})
