"""A real metrics-server behind the sandbox's API aggregation layer, which reads the usage that KWOK's nodes simulate."""

import base64
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox.activity import activity
from sandbox.certificates import write_private
from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.go_module import go_environment, go_install, locked, source_hash
from sandbox.paths import cache_dir
from sandbox.probe import wait_until
from sandbox.processes import Process
from sandbox.toolchain import install_toolchain, required_version, select_toolchain

MODULE: Final = Path(__file__).parent / "golang_metrics_server"
"""The directory of go.mod and go.sum. A module of its own: metrics-server needs other versions than the control plane."""
PACKAGE: Final = "sigs.k8s.io/metrics-server/cmd/metrics-server"
NAME: Final = "metrics-server"
"""Of the binary, the process, its log and its Service."""
RESOLUTION_SECONDS: Final = 10
"""Between two scrapes; metrics-server takes no less."""
_NAMESPACE: Final = "kube-system"
_API_SERVICE: Final = "v1beta1.metrics.k8s.io"


def ensure_metrics_server(environment: Mapping[str, str] = os.environ) -> Path:
    """The path of the binary, built now if the cache does not have it (a few minutes, once).

    Raises:
        BuildError: no toolchain, or the build failed.
    """
    toolchain = select_toolchain(required_version((MODULE / "go.mod").read_text(encoding="utf-8")), environment)
    cache = cache_dir(environment) / "metrics-server"
    target = cache / f"{source_hash(MODULE)}-{toolchain}"
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{target.name}.lock", NAME):
        if (target / NAME).exists():
            return target / NAME
        temporary = cache / f".building-{target.name}"
        shutil.rmtree(temporary, ignore_errors=True)  # left by a build that was killed
        temporary.mkdir()
        try:
            go = install_toolchain(toolchain, cache_dir(environment))
            with activity("Building metrics-server (once, some minutes)") as progress:
                go_install(go, MODULE, [PACKAGE], "-s -w", go_environment(environment, temporary), progress)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target / NAME


def start_metrics_server(control_plane: ControlPlane) -> Process:
    """Start metrics-server and wait until the API server serves metrics.k8s.io through it. Usage appears two scrapes later.

    Args:
        control_plane: running, with `SandboxSettings.usage`.

    Raises:
        SandboxError: the control plane has no aggregation layer, or metrics-server does not become ready.
    """
    if not control_plane.settings.usage:
        raise SandboxError("this control plane has no aggregation layer; start it with SandboxSettings(usage=True)")
    binary = ensure_metrics_server()
    with activity("Starting metrics-server") as progress:
        process = control_plane.start_process(NAME, _argv(control_plane, binary))
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(_registration(control_plane)))
        progress.update("waiting until the API server trusts it")
        wait_until("metrics.k8s.io served", lambda: _is_served(control_plane), process=process, interval_seconds=0.3)
    return process


def _argv(control_plane: ControlPlane, binary: Path) -> list[str | Path]:
    directory = control_plane.state_dir / NAME
    directory.mkdir(mode=0o700, exist_ok=True)
    pair = control_plane.pki.server_certificate(NAME, [f"{NAME}.{_NAMESPACE}.svc", "127.0.0.1", "localhost"])
    (directory / "tls.crt").write_bytes(pair.certificate)
    write_private(directory / "tls.key", pair.key)
    kubeconfig = control_plane.kubeconfig_for(NAME, ["system:masters"])
    return [
        binary,
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={control_plane.port(NAME)}",
        f"--tls-cert-file={directory / 'tls.crt'}",
        f"--tls-private-key-file={directory / 'tls.key'}",
        f"--metric-resolution={RESOLUTION_SECONDS}s",
        "--kubelet-request-timeout=5s",
        "--deprecated-kubelet-completely-insecure",  # KWOK serves usage over plain HTTP, on loopback
        f"--kubelet-port={control_plane.port('kwok')}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _registration(control_plane: ControlPlane) -> dict[str, object]:
    """The APIService and its Service: one by name, because nothing routes cluster IPs here."""
    port = control_plane.port(NAME)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": _NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    api_service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": _API_SERVICE},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "caBundle": base64.b64encode(control_plane.ca_file.read_bytes()).decode(),
            "service": {"name": NAME, "namespace": _NAMESPACE, "port": port},
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [service, api_service]}


def _is_served(control_plane: ControlPlane) -> bool:
    """Whether the aggregation layer has found metrics-server well."""
    conditions = control_plane.kubectl_json("get", "apiservice", _API_SERVICE).get("status", {}).get("conditions", [])
    return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)
