"""Where the API server is and how to prove who we are."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from stowplan.kube.errors import ConnectionConfigError

TokenProvider = Callable[[], str | None]
"""Returns the bearer token of now. May block (a file, an exec plugin), so it is called in a thread."""

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything needed to talk to one API server.

    Attributes:
        base_url: scheme, host and port, possibly a path prefix; no trailing slash.
        ssl_context: verifies the server and carries the client certificate; ``None`` only for plain HTTP.
        token: source of the bearer token, or ``None`` when the client certificate is the identity.
        namespace: the namespace of the context or of the service account.
        server_hostname: name to verify in the server's certificate when it is not the URL's host.
        proxy: HTTP proxy URL.
    """

    base_url: str
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    token: TokenProvider | None = field(default=None, repr=False)
    namespace: str = "default"
    server_hostname: str | None = None
    proxy: str | None = None

    @classmethod
    def resolve(cls, kubeconfig: str | None = None, *, context: str | None = None) -> Connection:
        """The first of: ``kubeconfig``, ``$KUBECONFIG``, the pod's service account, ``~/.kube/config``.

        Raises:
            ConnectionConfigError: the chosen source is unusable, or there is none.
        """
        explicit = kubeconfig or os.environ.get("KUBECONFIG")
        if explicit:
            return cls.from_kubeconfig(explicit, context=context)
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            return cls.in_cluster()
        return cls.from_kubeconfig(None, context=context)

    @classmethod
    def from_kubeconfig(cls, path: Path | str | None = None, context: str | None = None) -> Connection:
        """A context of a kubeconfig: client certificates, tokens, exec plugins and OIDC refresh included.

        Args:
            path: a file, or several joined by the path separator as in ``$KUBECONFIG``; ``None`` means
                ``~/.kube/config``.
            context: a context's name; ``None`` means the current one.

        Raises:
            ConnectionConfigError: no such file or context, bad content, or ``insecure-skip-tls-verify``.
        """
        source = str(path if path is not None else Path.home() / ".kube" / "config")
        config, namespace = _load(source, context)
        if config.host.startswith("https:") and not config.verify_ssl:
            raise ConnectionConfigError(
                f"kubeconfig {source}: insecure-skip-tls-verify would send credentials to anyone; "
                "set certificate-authority or certificate-authority-data instead"
            )
        return cls(
            base_url=config.host.rstrip("/"),
            ssl_context=_ssl_of(config, source),
            token=_token_of(config),
            namespace=namespace,
            server_hostname=config.tls_server_name or None,
            proxy=config.proxy or None,
        )

    @classmethod
    def in_cluster(cls, directory: Path = SERVICE_ACCOUNT) -> Connection:
        """The pod's service account. The projected token rotates, so its file is read afresh.

        Raises:
            ConnectionConfigError: not in a pod, or the service account is not mounted.
        """
        host = os.environ.get("KUBERNETES_SERVICE_HOST")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise ConnectionConfigError("KUBERNETES_SERVICE_HOST is not set: this is no pod; name a kubeconfig instead")
        try:
            verified = ssl.create_default_context(cafile=str(directory / "ca.crt"))
            (directory / "token").read_bytes()
            namespace = (directory / "namespace").read_text("utf-8").strip()
        except (OSError, ssl.SSLError) as error:
            raise ConnectionConfigError(
                f"service account at {directory}: {error}; set automountServiceAccountToken on the pod"
            ) from error
        address = f"[{host}]" if ":" in host else host
        return cls(f"https://{address}:{port}", verified, lambda: _read_token(directory / "token"), namespace)


def _read_token(path: Path) -> str | None:
    return path.read_text("utf-8").strip() or None


def _load(source: str, context: str | None) -> tuple[Any, str]:
    """The official client's configuration object and the namespace of the context."""
    client: Any = import_module("kubernetes.client")  # costs 0.8 s: only who reads a kubeconfig pays
    loading: Any = import_module("kubernetes.config")
    config = client.Configuration()
    try:
        contexts, active = loading.list_kube_config_contexts(source)
        loading.load_kube_config(source, context, client_configuration=config, persist_config=False)
    except (loading.ConfigException, OSError, ValueError) as error:
        raise ConnectionConfigError(
            f"kubeconfig {source}, context {context or 'current-context'}: {error}; "
            "check the path and `kubectl config get-contexts`"
        ) from error
    chosen = next((entry for entry in contexts if entry["name"] == context), active)
    return config, chosen["context"].get("namespace") or "default"


def _ssl_of(config: Any, source: str) -> ssl.SSLContext | None:
    if not config.host.startswith("https:"):
        return None
    try:
        verified = ssl.create_default_context(cafile=config.ssl_ca_cert)
        if config.cert_file:
            verified.load_cert_chain(config.cert_file, config.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConnectionConfigError(f"kubeconfig {source}: certificates cannot be loaded: {error}") from error
    return verified


def _token_of(config: Any) -> TokenProvider | None:
    """The bearer token through the client's refresh hook, which re-runs an exec plugin after expiry."""
    if not config.get_api_key_with_prefix("BearerToken"):
        return None

    def token() -> str | None:
        value: str | None = config.get_api_key_with_prefix("BearerToken")
        return value.removeprefix("Bearer ") if value else None

    return token
