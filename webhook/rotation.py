"""Certificate rotation of the webhook, as a process and an identity of its own: `python -m webhook.rotation`.

It alone can read the CA's key (Secret `stowplan-ca`). The webhook mounts the leaf (Secret `stowplan-webhook-tls`) and needs neither API
access to Secrets nor the CA. The order of writes leaves no gap: the CA, then the bundle of the webhook configuration (new CA first,
those it trusted before behind it), then the leaf. Writes carry the resource version that was read, so that of two rotators one wins
and the other looks again. What is observed decides, not memory: a deleted Secret or an overwritten bundle heals at the next look.

Lifetimes and look-ahead are those of `stowplan.serving.certificates`; the algorithm follows open-policy-agent/cert-controller, with
the changes above.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge

from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import ConnectionConfigError, KubeError, NotFound
from stowplan.kube.paths import MUTATING_WEBHOOK_CONFIGURATIONS, SECRETS
from stowplan.model.keys import SYSTEM_NAMESPACE
from stowplan.serving.certificates import KeyPair, expires_at
from stowplan.serving.health import Readiness, health_app
from stowplan.serving.http import Drain, Listener, serve
from stowplan.serving.logs import configure_logging
from stowplan.serving.metrics import new_registry
from stowplan.serving.settings import SettingsError, load_settings, parse_flags, setting
from webhook.certificate_plan import Desired, Observed, decide, service_names

log = logging.getLogger(__name__)

_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_ISSUER: Final = "ca.crt"
_TLS_SECRET: Final = "kubernetes.io/tls"  # noqa: S105 - a type of Secret, not a secret


@dataclass(frozen=True, slots=True)
class RotationSettings:
    """Settings of the process."""

    kubeconfig: str = setting("", "Kubeconfig; empty: $KUBECONFIG, else the pod's service account.")
    namespace: str = setting(SYSTEM_NAMESPACE, "Namespace of the Secrets and of the Service.")
    service: str = setting("stowplan-webhook", "Service that the API server calls; the leaf is made for its names.")
    configuration: str = setting("stowplan", "MutatingWebhookConfiguration whose caBundle is kept.")
    ca_secret: str = setting("stowplan-ca", "Secret with the CA and its key; readable by this process alone.")
    leaf_secret: str = setting("stowplan-webhook-tls", "Secret that the webhook mounts.")
    interval_seconds: float = setting(
        60.0,
        "Time between two looks. Three small reads, so there is no need to wait for hours; short, so that a "
        "suspended machine or an overwritten bundle is made good within a minute.",
        unit="seconds",
        minimum=0.1,
        maximum=43_200,
    )
    metrics_host: str = setting("127.0.0.1", "Address of /healthz, /readyz and /metrics.")
    metrics_port: int = setting(9090, "Port of /healthz, /readyz and /metrics.", minimum=0, maximum=65_535)
    log_level: str = setting("info", "debug, info, warning or error.")


class Rotation:
    """Reads, decides, writes what differs.

    Args:
        api: an open client.
        settings: names of everything.
        clock: the time, in UTC.
    """

    def __init__(
        self, api: ApiClient, settings: RotationSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock

    async def reconcile(self) -> tuple[list[str], Desired]:
        """One look: what was written (`ca`, `bundle`, `leaf`), and what is there now.

        Raises:
            KubeError: the API server cannot be reached or refuses; `Conflict`: somebody else wrote meanwhile.
        """
        settings = self._settings
        ca_secret = await self._get(SECRETS.path(settings.namespace, settings.ca_secret))
        leaf_secret = await self._get(SECRETS.path(settings.namespace, settings.leaf_secret))
        configuration = await self._get(MUTATING_WEBHOOK_CONFIGURATIONS.path(name=settings.configuration))
        observed = Observed(_pair(ca_secret), _pair(leaf_secret), _data(leaf_secret, _ISSUER), _bundles(configuration))
        desired = decide(observed, service_names(settings.service, settings.namespace), self._clock())
        written = []
        if desired.ca != observed.ca:
            await self._write_secret(settings.ca_secret, ca_secret, _contents(desired.ca))
            written.append("ca")
        if desired.bundles != observed.bundles and configuration is not None:
            await self._write_bundles(configuration, desired.bundles)
            written.append("bundle")
        if desired.leaf != observed.leaf:
            contents = {**_contents(desired.leaf), _ISSUER: desired.ca.certificate}
            await self._write_secret(settings.leaf_secret, leaf_secret, contents)
            written.append("leaf")
        return written, desired

    async def _get(self, path: str) -> Any:
        try:
            return await self._api.get(path)
        except NotFound:
            return None

    async def _write_secret(self, name: str, current: Any, contents: Mapping[str, bytes]) -> None:
        namespace = self._settings.namespace
        data = {key: base64.b64encode(value).decode() for key, value in contents.items()}
        if current is not None:
            await self._api.replace(SECRETS.path(namespace, name), {**current, "data": data})
            return
        metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "stowplan"}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": _TLS_SECRET, "data": data}
        await self._api.create(SECRETS.path(namespace), secret)

    async def _write_bundles(self, configuration: Any, bundles: tuple[bytes, ...]) -> None:
        """Only the bundles are patched: every other field belongs to whoever applied the configuration."""
        webhooks = [
            {"name": webhook["name"], "clientConfig": {"caBundle": base64.b64encode(bundle).decode()}}
            for webhook, bundle in zip(configuration["webhooks"], bundles, strict=True)
        ]
        metadata = {"resourceVersion": configuration["metadata"]["resourceVersion"]}
        path = MUTATING_WEBHOOK_CONFIGURATIONS.path(name=self._settings.configuration)
        patch = {"metadata": metadata, "webhooks": webhooks}
        await self._api.patch(path, patch, "strategic-merge-patch", fieldManager="stowplan-rotation")


def _contents(pair: KeyPair) -> dict[str, bytes]:
    return {_CERTIFICATE: pair.certificate, _KEY: pair.key}


def _data(secret: Any, key: str) -> bytes:
    """A value of a Secret; empty where there is none that can be read."""
    encoded = ((secret or {}).get("data") or {}).get(key) or ""
    return _decoded(encoded)


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""


def _pair(secret: Any) -> KeyPair | None:
    certificate, key = _data(secret, _CERTIFICATE), _data(secret, _KEY)
    return KeyPair(certificate, key) if certificate and key else None


def _bundles(configuration: Any) -> tuple[bytes, ...]:
    webhooks = (configuration or {}).get("webhooks") or ()
    return tuple(_decoded(webhook["clientConfig"].get("caBundle") or "") for webhook in webhooks)


class RotationLoop:
    """Looks again and again; tells how it went by metrics and readiness.

    Args:
        rotation: one look.
        interval_seconds: between two looks, jittered by a tenth. After a failure a tenth of it, so that a lost race is over soon.
        registry: for the metrics.
        sleep: waits the given seconds.
        jitter: a number from 0 to 1.
    """

    def __init__(
        self,
        rotation: Rotation,
        interval_seconds: float,
        registry: CollectorRegistry,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._rotation, self._interval, self._sleep, self._jitter = rotation, interval_seconds, sleep, jitter
        self.healthy = False
        self._looks = Counter("stowplan_rotation_looks", "Looks at the certificates.", ["result"], registry=registry)
        self._writes = Counter("stowplan_rotation_writes", "Objects written.", ["object"], registry=registry)
        help_text = "End of the certificate's validity, seconds since 1970."
        self._expiry = Gauge(
            "stowplan_rotation_expiry_timestamp_seconds", help_text, ["certificate"], registry=registry
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.healthy = await self._look()
            pause = self._interval if self.healthy else self._interval / 10
            await self._sleep(pause * (0.9 + 0.2 * self._jitter()))

    async def _look(self) -> bool:
        try:
            written, desired = await self._rotation.reconcile()
        except (KubeError, ValueError, msgspec.DecodeError) as error:
            log.warning("certificates could not be looked after, trying again: %s", error)
            self._looks.labels("error").inc()
            return False
        for name in written:
            log.info("wrote the %s", name)
            self._writes.labels(name).inc()
        self._expiry.labels("ca").set(expires_at(desired.ca.certificate).timestamp())
        self._expiry.labels("leaf").set(expires_at(desired.leaf.certificate).timestamp())
        self._looks.labels("ok").inc()
        return True


async def run(settings: RotationSettings, connection: Connection) -> None:
    """Rotate and answer probes until SIGTERM."""
    registry = new_registry()
    async with ApiClient(connection) as api:
        loop = RotationLoop(Rotation(api, settings), settings.interval_seconds, registry)
        readiness = Readiness({"certificates": lambda: loop.healthy})
        drain = Drain()
        drain.on_signals()
        health = Listener(health_app(readiness, registry), settings.metrics_host, settings.metrics_port)
        task = asyncio.create_task(loop.run())
        task.add_done_callback(lambda _: drain.begin())
        try:
            await serve([health], drain, drain_seconds=0)
        finally:
            crashed = task.done()
            task.cancel()
        if crashed:
            task.result()  # raises what ended it


def main(argv: list[str] | None = None) -> int:
    """The process: 0 after SIGTERM, 2 for settings that make no sense."""
    try:
        flags = parse_flags(RotationSettings, sys.argv[1:] if argv is None else argv, program="webhook.rotation")
        settings = load_settings(RotationSettings, os.environ, flags)
        configure_logging(settings.log_level)
        connection = Connection.resolve(settings.kubeconfig or None)
    except (SettingsError, ConnectionConfigError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asyncio.run(run(settings, connection))
    return 0


if __name__ == "__main__":
    sys.exit(main())
