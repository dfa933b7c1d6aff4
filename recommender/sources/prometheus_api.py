"""The part of the Prometheus HTTP API that sources need; Thanos, Mimir and VictoriaMetrics serve the same."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from yarl import URL

from recommender.sources.promql import check_selector

_MAX_ERROR_BYTES: Final = 4096


class PrometheusError(Exception):
    """Prometheus does not answer, or not with data; the message names the remedy."""


class TooMuchDataError(PrometheusError):
    """The answer would be too large for us, or the query for Prometheus; ask for less."""


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """Where Prometheus is, and how much is asked of it.

    Raises:
        ValueError: a value makes no sense.
    """

    url: str
    """Up to and without `/api/v1`, such as `http://prometheus.monitoring:9090` or `https://mimir/prometheus`."""
    selector: str = ""
    """Further label matchers, such as `cluster="prod"`: needed where one Prometheus holds several clusters."""
    token_file: Path | None = None
    """A bearer token, read again for each request, because mounted tokens rotate."""
    ca_file: Path | None = None
    """PEM of the authority that signed the server's certificate; the system's where absent."""
    tenant: str = ""
    """Value of `X-Scope-OrgID`, which Mimir needs where it has several tenants."""
    timeout_s: float = 60.0
    """Bound of one request."""
    max_body_bytes: int = 4 * 2**20
    """Bound of one answer. Five are held at a time, and decoded they take about four times as much."""
    step_s: int = 60
    """Length of a live sample."""
    back_fill_step_s: int = 300
    """Length of a sample of the past."""
    chunk_s: int = 6 * 3600
    """Time asked for at once."""
    delay_s: int = 30
    """The newest time that is asked for is this long ago: scraping and remote writing take a while."""

    def __post_init__(self) -> None:
        url = URL(self.url)
        if url.scheme not in ("http", "https") or not url.host or url.query_string or url.fragment:
            raise ValueError(f"url {self.url!r}: write an address such as http://prometheus.monitoring:9090")
        if url.path.rstrip("/").endswith("/api/v1"):
            raise ValueError(f"url {self.url!r}: leave /api/v1 out, it is added")
        check_selector(self.selector)
        positive = ("timeout_s", "max_body_bytes", "step_s", "back_fill_step_s", "chunk_s")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be more than 0")
        if self.chunk_s % self.step_s or self.chunk_s % self.back_fill_step_s:
            raise ValueError(f"chunk_s {self.chunk_s} must be a multiple of step_s and of back_fill_step_s")


class Labels(msgspec.Struct, frozen=True, gc=False):
    """Who a series is about."""

    namespace: str = ""
    pod: str = ""
    container: str = ""
    id: str = ""
    """The cgroup; another for each start of the container. Empty where it is not recorded."""


class Series(msgspec.Struct):
    """One series of a range query: (Unix seconds, value as text)."""

    metric: Labels
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: list[Series]


class _Matrix(msgspec.Struct):
    data: _Data


class _Names(msgspec.Struct):
    data: list[str]


class _Failure(msgspec.Struct, rename="camel"):
    error: str = ""
    error_type: str = ""


_MATRIX: Final = msgspec.json.Decoder(_Matrix)
_NAMES: Final = msgspec.json.Decoder(_Names)
_FAILURE: Final = msgspec.json.Decoder(_Failure)


class PrometheusApi:
    """Calls to one Prometheus, used as ``async with PrometheusApi(settings) as api``. Every call raises `PrometheusError`."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self.settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connection pool.

        Raises:
            PrometheusError: the CA file cannot be read.
        """
        ca_file = self.settings.ca_file
        try:
            context = ssl.create_default_context(cafile=str(ca_file)) if ca_file is not None else True
        except (OSError, ssl.SSLError) as error:
            raise PrometheusError(
                f"ca_file {ca_file} is no PEM file of certificates: {error}; mount the authority's"
            ) from error
        headers = {"X-Scope-OrgID": self.settings.tenant} if self.settings.tenant else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=4, ssl=context),
            headers={"Accept": "application/json", "User-Agent": "stowplan", **headers},
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout_s, sock_connect=10.0),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def query_range(self, query: str, start_s: int, end_s: int, step_s: int) -> list[Series]:
        """The values of a query at start, start + step ... end."""
        # Thanos would otherwise leave out, without an error, what a store that is down holds.
        params = {"query": query, "start": start_s, "end": end_s, "step": step_s, "partial_response": "false"}
        body = await self._get("/api/v1/query_range", params)
        data: _Data = self._decoded(_MATRIX, body).data
        if data.result_type != "matrix":
            raise PrometheusError(f"{self.settings.url}: a range query gave a {data.result_type}; is this Prometheus?")
        return data.result

    async def namespaces(self, matcher: str, start_s: int, end_s: int) -> list[str]:
        """The values of the label `namespace` on series of a selector, sorted."""
        body = await self._get("/api/v1/label/namespace/values", {"match[]": matcher, "start": start_s, "end": end_s})
        return sorted(self._decoded(_NAMES, body).data)

    async def _get(self, path: str, params: dict[str, Any]) -> bytes:
        session = self._session
        if session is None:
            raise RuntimeError("PrometheusApi is not open: use it as `async with PrometheusApi(settings) as api`")
        url = self.settings.url.rstrip("/") + path
        try:
            async with session.get(
                url, params=params, headers=await self._authorization(), allow_redirects=False
            ) as response:
                if response.status != HTTPStatus.OK:
                    raise _refused(url, response.status, await response.content.read(_MAX_ERROR_BYTES))
                return await self._read(url, response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = str(error) or type(error).__name__
            raise PrometheusError(
                f"{url}: {text}; check the address, the network policies and the certificate"
            ) from error

    async def _read(self, url: str, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        received = 0
        async for chunk in response.content.iter_any():
            received += len(chunk)
            if received > self.settings.max_body_bytes:
                raise TooMuchDataError(
                    f"{url}: the answer is longer than {self.settings.max_body_bytes} bytes; raise max_body_bytes"
                )
            parts.append(chunk)
        return b"".join(parts)

    async def _authorization(self) -> dict[str, str]:
        file = self.settings.token_file
        if file is None:
            return {}
        try:
            token = (await asyncio.to_thread(file.read_text, encoding="utf-8")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise PrometheusError(f"token_file {file} cannot be read: {error}; mount a token there") from error
        return {"Authorization": f"Bearer {token}"}

    def _decoded(self, decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except msgspec.DecodeError as error:
            raise PrometheusError(
                f"{self.settings.url}: no answer of the Prometheus HTTP API: {error}; check the address"
            ) from error


def _refused(url: str, status: int, body: bytes) -> PrometheusError:
    """The error for a status other than 200."""
    try:
        said = _FAILURE.decode(body)
    except msgspec.DecodeError:
        said = _Failure(body[:200].decode("utf-8", "replace").strip())
    text = f"{url}: {status} {said.error}".rstrip()
    match status:
        case HTTPStatus.UNPROCESSABLE_ENTITY | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            # Of what Prometheus cannot execute, too many samples is the one reason that our queries can have.
            return TooMuchDataError(f"{text}; raise --query.max-samples of Prometheus, or the tenant's limits")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return PrometheusError(f"{text}; set token_file to a token that may read, or the tenant")
        case HTTPStatus.NOT_FOUND:
            return PrometheusError(f"{text}; check the address: /api/v1/query_range must follow it")
        case HTTPStatus.BAD_REQUEST:
            return PrometheusError(f"{text}; check the extra selector")
        case _:
            return PrometheusError(f"{text}; look at the log of Prometheus")
