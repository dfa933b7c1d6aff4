"""Finding the API server: kubeconfigs, exec plugins, the pod's service account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stowplan.kube.connection import Connection
from stowplan.kube.errors import ConnectionConfigError

if TYPE_CHECKING:
    from pathlib import Path


def kubeconfig(directory: Path, *, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    """A kubeconfig (JSON is YAML) with one context called ``here``."""
    path = directory / "config"
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
    }
    path.write_text(json.dumps(body))
    return path


PLAIN = {"server": "http://127.0.0.1:1/"}


def test_a_static_token(tmp_path: Path) -> None:
    connection = Connection.from_kubeconfig(kubeconfig(tmp_path, cluster=PLAIN, user={"token": "secret"}))

    assert connection.base_url == "http://127.0.0.1:1"
    assert connection.namespace == "shop"
    assert connection.token is not None
    assert connection.token() == "secret"
    assert "secret" not in repr(connection)


def test_no_token_means_no_provider(tmp_path: Path) -> None:
    assert Connection.from_kubeconfig(kubeconfig(tmp_path, cluster=PLAIN, user={})).token is None


def test_an_exec_plugin_runs_again_when_its_token_has_expired(tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "run-COUNT", "expirationTimestamp": "2020-01-01T00:00:00Z"},
    }
    (tmp_path / "credential").write_text(json.dumps(credential))
    script = 'cd "$0"; echo x >> runs; sed "s/COUNT/$(wc -l < runs | tr -d " ")/" credential'
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "/bin/sh",
        "args": ["-c", script, str(tmp_path)],
    }
    connection = Connection.from_kubeconfig(kubeconfig(tmp_path, cluster=PLAIN, user={"exec": plugin}))

    assert connection.token is not None
    first, second = connection.token(), connection.token()

    assert first is not None
    assert first.startswith("run-")
    assert second != first


def test_unverified_tls_is_refused_with_the_remedy(tmp_path: Path) -> None:
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    with pytest.raises(ConnectionConfigError, match="certificate-authority"):
        Connection.from_kubeconfig(kubeconfig(tmp_path, cluster=cluster, user={}))


@pytest.mark.parametrize(("name", "context"), [("absent", None), ("config", "elsewhere")])
def test_a_missing_file_or_context_is_named(tmp_path: Path, name: str, context: str | None) -> None:
    kubeconfig(tmp_path, cluster=PLAIN, user={})
    with pytest.raises(ConnectionConfigError, match=context or name):
        Connection.from_kubeconfig(tmp_path / name, context)


def test_bad_certificates_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nonsense")
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority": str(tmp_path / "ca.crt")}
    with pytest.raises(ConnectionConfigError, match="certificates"):
        Connection.from_kubeconfig(kubeconfig(tmp_path, cluster=cluster, user={}))


def test_resolve_prefers_the_explicit_then_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig(tmp_path, cluster=PLAIN, user={})
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    assert Connection.resolve(str(path)).base_url == "http://127.0.0.1:1"
    with pytest.raises(ConnectionConfigError, match="absent"):
        Connection.resolve(None)
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(ConnectionConfigError, match="service account"):
        Connection.resolve(None)  # the service account is next, and is not mounted here


def test_resolve_ends_at_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube", cluster=PLAIN, user={})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert Connection.resolve().namespace == "shop"
