"""Latency histograms of the services of one environment, scraped before and after a run."""

from dataclasses import dataclass

import aiohttp

from demo.environment import Environment
from demo.errors import DemoError
from demo.metrics import API_SERVER, EXTENDER, WEBHOOK, Histogram, read_histogram
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

    def since(self, earlier: "Scrape") -> "Scrape":
        """What was observed between two scrapes."""
        return Scrape(
            self.webhook.minus(earlier.webhook),
            self.extender.minus(earlier.extender),
            self.admission.minus(earlier.admission),
        )


async def scrape(api: ApiClient, environment: Environment) -> Scrape:
    """Read all three histograms.

    Raises:
        DemoError: a service of ours does not answer.
    """
    return Scrape(
        await _summed(api, environment.webhook_pages, WEBHOOK),
        await _summed(api, environment.extender_pages, EXTENDER),
        await _admission(api) if environment.opted_in else Histogram(),
    )


async def _summed(api: ApiClient, addresses: tuple[str, ...], name: str) -> Histogram:
    """One histogram over all replicas; empty without any."""
    pages = [await _page(api, address) for address in addresses]
    return read_histogram("\n".join(pages), name)


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
