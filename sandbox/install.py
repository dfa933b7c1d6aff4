"""Installs stowplan into a sandbox: the manifests of a cluster, and the services as processes with their real identities.

Each service gets a certificate for the user of its ServiceAccount, so that what it may not do in a cluster fails here too.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from extender.scheduler_config import Channel, scheduler_configuration
from sandbox import components
from sandbox.activity import Activity, activity
from sandbox.certificates import write_private
from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.manifests import EXTENDER_ACCOUNT, Manifest, for_sandbox, manifests_dir, render, webhook_configuration
from sandbox.probe import healthy, wait_until
from sandbox.processes import Process
from stowplan.model.keys import GROUP, INJECT, SCHEDULER_NAME, STATUS_PREFIX, SYSTEM_NAMESPACE, VERSION

WEBHOOK: Final = "stowplan-webhook"
EXTENDER: Final = "stowplan-extender"
RECOMMENDER: Final = "stowplan-recommender"
SCHEDULER: Final = "stowplan-scheduler"
COMPONENTS: Final = (WEBHOOK, EXTENDER, SCHEDULER, RECOMMENDER)
"""Names of the processes, of their logs and of their ServiceAccounts."""
_MANAGER: Final = "stowplan-install"
_PROBE_NAMESPACE: Final = "stowplan-probe"


@dataclass(frozen=True)
class Installation:
    """stowplan, running in a sandbox. URLs are on 127.0.0.1; metrics URLs are complete, for a GET."""

    control_plane: ControlPlane
    channel: Channel
    extender_flags: tuple[str, ...]
    webhook_url: str
    webhook_metrics_url: str
    extender_url: str
    extender_metrics_url: str
    scheduler_metrics_url: str
    """Over HTTPS; asks for a client certificate that may get /metrics."""
    recommender_metrics_url: str

    def stop(self) -> None:
        """Take the webhook's registration away and stop the services; harmless when they have stopped."""
        _stop(self.control_plane)

    def restart_component(self, name: str, *, kill: bool = False) -> None:
        """Stop one of `COMPONENTS` (with `kill` as a crash would) and start it again on its port; returns when it is ready.

        Raises:
            ValueError: there is no component of this name.
            SandboxError: it does not become ready.
        """
        if name not in COMPONENTS:
            raise ValueError(f"component {name!r} is unknown; there are {', '.join(COMPONENTS)}")
        if name in self.control_plane.processes:
            self.control_plane.stop_component(name, kill=kill)
        started = _start(self.control_plane, name, self.channel, self.extender_flags)
        _wait_ready(self.control_plane, {name: started}, None)


def install_stowplan(
    control_plane: ControlPlane,
    *,
    channel: Channel = "narrow",
    extender_flags: Sequence[str] = (),
    progress: Activity | None = None,
) -> Installation:
    """Install stowplan and wait until it works: a pod is sized, its scheduler is there, the extender knows the cluster.

    The order is that of a first roll-out: the services are ready before the webhook is registered.

    Args:
        control_plane: a running sandbox.
        channel: how the extender speaks to the scheduler.
        extender_flags: further flags of the extender, such as `--gates=true`.
        progress: where to show progress; by default a line of its own.

    Raises:
        SandboxError: it is installed already, the manifests are not there or refused, or a service is not ready in time (the
            message has the end of its log). What was started is stopped again.
    """
    running = [name for name in COMPONENTS if name in control_plane.processes]
    if running:
        raise SandboxError(
            f"stowplan is installed here already ({', '.join(running)} run); stop that installation first"
        )
    with nullcontext(progress) if progress is not None else activity("Installing stowplan") as shown:
        base = _apply_manifests(control_plane, shown)
        try:
            _roll_out(control_plane, base, channel, extender_flags, shown)
        except BaseException:
            _stop(control_plane)
            raise
    return Installation(
        control_plane,
        channel,
        tuple(extender_flags),
        webhook_url=_url(control_plane, WEBHOOK, "https"),
        webhook_metrics_url=f"{_url(control_plane, f'{WEBHOOK}-metrics')}/metrics",
        extender_url=_url(control_plane, EXTENDER),
        extender_metrics_url=f"{_url(control_plane, f'{EXTENDER}-metrics')}/metrics",
        scheduler_metrics_url=f"{_url(control_plane, SCHEDULER, 'https')}/metrics",
        recommender_metrics_url=f"{_url(control_plane, f'{RECOMMENDER}-metrics')}/metrics",
    )


def enable_namespace(
    control_plane: ControlPlane,
    namespace: str,
    *,
    default_class: str = "",
    allowed_classes: Sequence[str] = (),
) -> None:
    """Opt a namespace in (made if absent), with a WorkloadPolicy where there is something to say in it.

    Raises:
        SandboxError: the API server refuses, for example a default class that is not among the allowed ones.
    """
    spec: dict[str, Any] = {"defaultClass": default_class} if default_class else {}
    if allowed_classes:
        spec["allowedClasses"] = list(allowed_classes)
    objects: list[Manifest] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {INJECT: "enabled"}}}
    ]
    if spec:
        metadata = {"name": "default", "namespace": namespace}
        policy = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "WorkloadPolicy", "metadata": metadata, "spec": spec}
        objects.append(policy)
    _apply(control_plane, objects)
    control_plane.wait_for_namespace(namespace)


def service_account(name: str) -> tuple[str, tuple[str, ...]]:
    """The user and the groups that the API server knows a ServiceAccount of stowplan by."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    return f"system:serviceaccount:{SYSTEM_NAMESPACE}:{name}", groups


def _roll_out(
    control_plane: ControlPlane,
    base: list[Manifest],
    channel: Channel,
    extender_flags: Sequence[str],
    progress: Activity,
) -> None:
    """Start the services, then register the webhook, then see that it works."""
    progress.update("starting the services")
    started = {name: _start(control_plane, name, channel, extender_flags) for name in COMPONENTS}
    _wait_ready(control_plane, started, progress)
    progress.update("registering the webhook")
    ca_bundle = control_plane.ca_file.read_bytes()
    _apply(control_plane, [webhook_configuration(base, _url(control_plane, WEBHOOK, "https"), ca_bundle)])
    _prove(control_plane, progress)


def _stop(control_plane: ControlPlane) -> None:
    """Take the registration away, then stop whichever services run."""
    control_plane.kubectl("delete", "mutatingwebhookconfiguration", "stowplan", "--ignore-not-found")
    for name in COMPONENTS:
        if name in control_plane.processes:
            control_plane.stop_component(name)


def _apply_manifests(control_plane: ControlPlane, progress: Activity) -> list[Manifest]:
    """Apply CRDs, wait until they serve, apply the rest but for the webhook's registration; returns the base as rendered."""
    manifests_dir()
    progress.update("applying the CRDs")
    crds = render(control_plane, "crds")
    _apply(control_plane, crds)
    names = [f"crd/{crd['metadata']['name']}" for crd in crds]
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", *names)
    progress.update("applying the manifests")
    base = render(control_plane, "base")
    _apply(control_plane, for_sandbox(base))
    return base


def _apply(control_plane: ControlPlane, objects: Sequence[Manifest]) -> None:
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    control_plane.kubectl(
        "apply", "--server-side", "--force-conflicts", f"--field-manager={_MANAGER}", "-f", "-", stdin=document
    )


def _url(control_plane: ControlPlane, name: str, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{control_plane.port(name)}"


def _start(control_plane: ControlPlane, name: str, channel: Channel, extender_flags: Sequence[str]) -> Process:
    """Start a service with the identity of its ServiceAccount."""
    argv = [*_argv(control_plane, name, channel), *(extender_flags if name == EXTENDER else ())]
    # The packages are imported from where this one is, whatever the caller's working directory.
    return control_plane.start_process(name, argv, {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)})


def _argv(control_plane: ControlPlane, name: str, channel: Channel) -> Sequence[str | Path]:
    account = EXTENDER_ACCOUNT if name == EXTENDER else name
    kubeconfig = control_plane.kubeconfig_for(*service_account(account))
    if name == SCHEDULER:
        return _scheduler_argv(control_plane, kubeconfig, channel)
    if name == RECOMMENDER:
        port = control_plane.port(f"{name}-metrics")
        return [sys.executable, "-m", "recommender", "--kubeconfig", kubeconfig, "--metrics-port", str(port)]
    module = "webhook" if name == WEBHOOK else "extender"
    argv: list[str | Path] = [sys.executable, "-m", module, "--kubeconfig", kubeconfig, "--host", "127.0.0.1"]
    argv += ["--port", str(control_plane.port(name)), "--metrics-port", str(control_plane.port(f"{name}-metrics"))]
    return [*argv, "--tls-dir", _tls_directory(control_plane)] if name == WEBHOOK else [*argv, "--channel", channel]


def _scheduler_argv(control_plane: ControlPlane, kubeconfig: Path, channel: Channel) -> Sequence[str | Path]:
    """A second stock kube-scheduler, configured as in the manifests but for addresses."""
    extender_url = _url(control_plane, EXTENDER)
    document = scheduler_configuration(extender_url=extender_url, channel=channel, kubeconfig=str(kubeconfig))
    config = control_plane.state_dir / f"{SCHEDULER}.yaml"
    config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    binary, port = control_plane.bin("kube-scheduler"), control_plane.port(SCHEDULER)
    return components.kube_scheduler(binary, control_plane.pki, kubeconfig, config, port)


def _tls_directory(control_plane: ControlPlane) -> Path:
    """The webhook's certificate as a mounted Secret would show it; the sandbox's CA plays the rotation's."""
    directory = control_plane.state_dir / "webhook-tls"
    directory.mkdir(mode=0o700, exist_ok=True)
    pair = control_plane.pki.server_certificate(WEBHOOK)
    (directory / "tls.crt").write_bytes(pair.certificate)
    write_private(directory / "tls.key", pair.key)
    return directory


def _wait_ready(control_plane: ControlPlane, processes: Mapping[str, Process], progress: Activity | None) -> None:
    """Wait for each service's own readiness."""
    context = control_plane.pki.ssl_context()
    for done, (name, process) in enumerate(processes.items()):
        if progress is not None:
            progress.update(f"waiting for {name}", done, len(processes))
        url = f"{_url(control_plane, f'{name}-metrics')}/readyz"
        if name == SCHEDULER:
            url = f"{_url(control_plane, name, 'https')}/healthz"
        wait_until(f"{name} ready", partial(healthy, url, context), process=process)


def _prove(control_plane: ControlPlane, progress: Activity) -> None:
    """Wait until a pod created now would be sized and sent to our scheduler. Nothing is stored: it is a dry run."""
    process = control_plane.processes[WEBHOOK]
    enable_namespace(control_plane, _PROBE_NAMESPACE)
    try:
        progress.update("waiting until a pod is sized")
        wait_until("a pod is sized", lambda: _is_sized(_dry_run(control_plane)), process=process, interval_seconds=0.2)
        progress.update(f"waiting until the webhook sees {SCHEDULER_NAME} alive")
        wait_until(
            f"a pod is sent to {SCHEDULER_NAME}",
            lambda: _dry_run(control_plane)["spec"].get("schedulerName") == SCHEDULER_NAME,
            process=process,
            interval_seconds=0.2,
        )
    finally:
        control_plane.kubectl("delete", "namespace", _PROBE_NAMESPACE, "--wait=false", "--ignore-not-found")


def _is_sized(pod: Mapping[str, Any]) -> bool:
    annotations = pod["metadata"].get("annotations") or {}
    return any(key.startswith(STATUS_PREFIX) for key in annotations)


def _dry_run(control_plane: ControlPlane) -> Any:
    """A pod as the API server would store it."""
    metadata = {"name": "probe", "namespace": _PROBE_NAMESPACE}
    spec = {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return control_plane.kubectl_json("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
