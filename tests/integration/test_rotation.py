"""The rotation as a process with its real identity against a real API server, which then calls a server with its certificate."""

import base64
import socket
import ssl
import sys
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.install import service_account
from sandbox.manifests import render
from sandbox.probe import wait_until
from stowplan.serving.certificates import needs_renewal
from tests.support.bare_planes import apply, own_control_plane

NAME = "stowplan-webhook.stowplan-system.svc"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With the base applied, and the rotation running as stowplan-rotation, looking twice a second."""
    with own_control_plane(tmp_path_factory, "rotation", runs_pods=False) as running:
        kept = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
        base = render(running, "base")
        apply(running, [m for m in base if m["kind"] in (*kept, "MutatingWebhookConfiguration")])
        kubeconfig = running.kubeconfig_for(*service_account("stowplan-rotation"))
        argv: list[str | Path] = [sys.executable, "-m", "webhook.rotation", "--kubeconfig", kubeconfig]
        port = str(running.port("rotation-metrics"))
        root = str(Path(__file__).resolve().parents[2])
        running.start_process(
            "rotation", [*argv, "--interval-seconds", "0.5", "--metrics-port", port], {"PYTHONPATH": root}
        )
        yield running


def secret(plane: ControlPlane, name: str) -> dict[str, bytes]:
    try:
        found = plane.kubectl_json("get", "secret", name, "-n", "stowplan-system")
    except SandboxError:  # not yet
        return {}
    return {key: base64.b64decode(value) for key, value in found["data"].items()}


def bundle(plane: ControlPlane) -> bytes:
    configuration = plane.kubectl_json("get", "mutatingwebhookconfiguration", "stowplan")
    return base64.b64decode(configuration["webhooks"][0]["clientConfig"].get("caBundle", ""))


def handshake(certificate: bytes, key: bytes, trusted: bytes, tmp_path: Path) -> str:
    """A TLS server with the leaf, called as the API server calls a Service; returns the TLS version agreed on."""
    (tmp_path / "tls.crt").write_bytes(certificate)
    (tmp_path / "tls.key").write_bytes(key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=trusted.decode())
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=NAME) as connection:
            return connection.version() or ""
    finally:
        thread.join()


def wait_for(plane: ControlPlane, what: str, condition: Any) -> None:
    wait_until(what, condition, process=plane.processes["rotation"], interval_seconds=0.2)


def settled(plane: ControlPlane) -> bool:
    """Whether the leaf is trusted by way of the bundle."""
    leaf = secret(plane, "stowplan-webhook-tls").get("tls.crt", b"")
    return not needs_renewal(leaf, bundle(plane), datetime.now(UTC), names=[NAME])


def looks(plane: ControlPlane) -> float:
    """How often the rotation has looked without an error."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{plane.port('rotation-metrics')}/metrics", timeout=60)
    with page:
        text = page.read().decode()
    (line,) = [line for line in text.splitlines() if line.startswith('stowplan_rotation_looks_total{result="ok"}')]
    return float(line.split()[-1])


def test_ca_leaf_and_bundle_come_from_nothing_and_a_client_trusts_them(plane: ControlPlane, tmp_path: Path) -> None:
    wait_for(plane, "certificates", lambda: settled(plane))

    leaf = secret(plane, "stowplan-webhook-tls")
    assert set(leaf) == {"tls.crt", "tls.key", "ca.crt"}
    assert handshake(leaf["tls.crt"], leaf["tls.key"], bundle(plane), tmp_path) == "TLSv1.3"


def test_an_overwritten_bundle_comes_back(plane: ControlPlane) -> None:
    wait_for(plane, "certificates", lambda: settled(plane))
    before = bundle(plane)
    patch = '[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]'
    plane.kubectl("patch", "mutatingwebhookconfiguration", "stowplan", "--type=json", "-p", patch)

    wait_for(plane, "bundle", lambda: bundle(plane) == before)


def test_a_lost_ca_is_replaced_while_the_old_one_stays_trusted(plane: ControlPlane, tmp_path: Path) -> None:
    wait_for(plane, "certificates", lambda: settled(plane))
    old_ca, old_leaf = secret(plane, "stowplan-ca"), secret(plane, "stowplan-webhook-tls")
    plane.kubectl("delete", "secret", "stowplan-ca", "-n", "stowplan-system")

    def replaced() -> bool:
        return secret(plane, "stowplan-webhook-tls").get("tls.crt") not in (None, old_leaf["tls.crt"])

    wait_for(plane, "new leaf", replaced)

    trusted, new_leaf = bundle(plane), secret(plane, "stowplan-webhook-tls")
    assert trusted == secret(plane, "stowplan-ca")["tls.crt"] + old_ca["tls.crt"]
    # A replica that still serves the old leaf, and one with the new: no admission is lost in between.
    for leaf in (old_leaf, new_leaf):
        assert handshake(leaf["tls.crt"], leaf["tls.key"], trusted, tmp_path)


def test_nothing_is_written_while_nothing_changes(plane: ControlPlane) -> None:
    wait_for(plane, "certificates", lambda: settled(plane))
    path = ("get", "secret", "stowplan-ca", "stowplan-webhook-tls", "-n", "stowplan-system")
    before = plane.kubectl_json(*path)
    log = plane.processes["rotation"].log.read_text(encoding="utf-8")
    seen = looks(plane)

    wait_for(plane, "three more looks", lambda: looks(plane) >= seen + 3)

    assert plane.kubectl_json(*path) == before
    assert plane.processes["rotation"].log.read_text(encoding="utf-8") == log
