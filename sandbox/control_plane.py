"""A Kubernetes control plane as child processes of the caller."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sandbox import components, probe
from sandbox.activity import activity
from sandbox.build import Binaries, ensure_binaries
from sandbox.errors import SandboxError
from sandbox.kubectl import run_kubectl
from sandbox.pki import Pki
from sandbox.ports import PortReservation
from sandbox.processes import Process
from sandbox.status import ComponentStatus, write_status
from sandbox.usage import kwok_configuration

_GRACE_SECONDS = 3.0
"""Time to end after SIGTERM. There is nothing to save, and an API server may wait a minute for its watchers."""
_PORTS = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class SandboxSettings:
    """What to start."""

    state_dir: Path
    """For certificates, kubeconfigs, logs and data; made if absent. Nothing is reused from an earlier run."""
    name: str = "default"
    """Name of the cluster and the context in kubeconfigs."""
    scheduler: bool = True
    """Run the default kube-scheduler."""
    kwok: bool = True
    """Run KWOK, so that fake nodes become Ready and pods on them run."""
    usage: bool = False
    """Let KWOK serve usage and the API server aggregate others, so that a metrics-server can be started (`sandbox.metrics_server`)."""
    extra_apiserver_args: tuple[str, ...] = field(default=())
    """Flags appended to kube-apiserver's; for a repeated flag the last one counts."""


class ControlPlane:
    """etcd, kube-apiserver, kube-controller-manager, and by the settings kube-scheduler and KWOK.

    A context manager; the children end with it, and the kernel kills them when the calling process is killed.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.state_dir = settings.state_dir.absolute()
        self._ports = PortReservation()
        self._port: dict[str, int] = {}
        self._processes: dict[str, Process] = {}
        self._binaries: Binaries | None = None
        self._pki: Pki | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Of the API server; has a port once started."""
        return f"https://127.0.0.1:{self.port('kube-apiserver')}"

    @property
    def ca_file(self) -> Path:
        """PEM of the authority that signs the API server's certificate and all clients'."""
        return self.pki.path("ca.crt")

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state_dir / "admin.kubeconfig"

    @property
    def log_dir(self) -> Path:
        """One file per process, NAME.log."""
        return self.state_dir / "logs"

    @property
    def pki(self) -> Pki:
        """Certificates; made by `start`."""
        if self._pki is None:
            raise SandboxError("the control plane is not started; call start() or use it as a context manager")
        return self._pki

    @property
    def processes(self) -> Mapping[str, Process]:
        """Every process of the sandbox by name, in the order of their start."""
        return dict(self._processes)

    def port(self, name: str) -> int:
        """The port of a component, or a newly reserved one for a process of the caller, fixed by its name."""
        if name not in self._port:
            self._port[name] = self._ports.reserve()
        return self._port[name]

    def bin(self, name: str) -> Path:
        """The path of a binary such as kubectl or kube-scheduler; builds them if need be."""
        if self._binaries is None:
            self._binaries = ensure_binaries()
        return self._binaries.path(name)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a client certificate of ``user``, member of ``groups``; what they may, RBAC says."""
        return self.pki.kubeconfig(self.state_dir / "kubeconfigs", self.url, user, groups)

    def start(self) -> None:
        """Start everything and wait until it is ready: the API answers, pods can be created and are scheduled.

        Raises:
            SandboxError: a binary cannot be built, a component fails; what was started is stopped again.
        """
        self.bin("etcd")
        try:
            with activity(f"Starting the control plane of sandbox {self.settings.name!r}") as progress:
                self._prepare()
                progress.update("etcd and kube-apiserver")
                self._launch("etcd")
                self.start_component("kube-apiserver")
                clients = self._clients()
                for name in clients:
                    self._launch(name)
                for name in clients:
                    progress.update(name)
                    self._wait_ready(name)
                progress.update("waiting for the default service account")
                self.wait_for_namespace("default")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything: clients first, then the API server, then etcd. Harmless when nothing runs."""
        names = list(reversed(self._processes))
        clients = [name for name in names if name not in ("kube-apiserver", "etcd")]
        for batch in (clients, ["kube-apiserver"], ["etcd"]):
            running = [self._processes[name] for name in batch if name in self._processes]
            for process in running:
                process.terminate()
            for process in running:
                process.wait(_GRACE_SECONDS)
        self._processes.clear()
        self._port.clear()
        self._ports.release()
        write_status(self.state_dir, [])

    def start_component(self, name: str) -> Process:
        """Start a component that does not run (the first time or again, same port and data) and wait for it."""
        process = self._launch(name)
        self._wait_ready(name)
        return process

    def stop_component(self, name: str, *, kill: bool = False) -> None:
        """Stop a component or an extra process; with ``kill`` at once, as a crash would.

        Raises:
            ValueError: no process of this name was started.
        """
        process = self._processes.pop(name, None)
        if process is None:
            known = ", ".join(self._processes) or "none"
            raise ValueError(f"process {name!r} does not run in this sandbox; running: {known}")
        if kill:
            process.kill()
        process.stop(_GRACE_SECONDS)
        self._write_status()

    def start_process(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Process:
        """Supervise one more process (a scheduler, a webhook): it logs to NAME.log and ends with the sandbox.

        Args:
            name: lower-case letters, digits, hyphens and dots; no other running process has it.
            argv: program and arguments.
            env: variables added to the caller's environment.
        """
        return self._spawn(name, argv, {**os.environ, **(env or {})})

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator; returns its standard output.

        Raises:
            SandboxError: it failed; the message is what kubectl said.
        """
        command = [str(self.bin("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        result = run_kubectl(command, stdin=stdin)
        if result.returncode != 0:
            raise SandboxError(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def kubectl_json(self, *arguments: str, stdin: str | None = None) -> Any:
        """Run kubectl with ``-o json`` and parse what it prints."""
        return json.loads(self.kubectl(*arguments, "-o", "json", stdin=stdin))

    def wait_for_namespace(self, namespace: str) -> None:
        """Wait until pods can be created there: a controller has to make the service account first."""
        url = f"{self.url}/api/v1/namespaces/{namespace}/serviceaccounts/default"
        context = self.pki.ssl_context()
        probe.wait_until(f"service account {namespace}/default", lambda: probe.healthy(url, context))

    def _prepare(self) -> None:
        """A fresh state directory with ports, certificates and kubeconfigs."""
        for stale in ("etcd", "logs", "pki", "kubeconfigs"):
            shutil.rmtree(self.state_dir / stale, ignore_errors=True)
        self.log_dir.mkdir(parents=True)
        for name in _PORTS:
            self.port(name)
        self._pki = Pki(self.state_dir / "pki", self.settings.name)
        self._pki.admin_kubeconfig(self.state_dir, self.url).rename(self.kubeconfig)

    def _clients(self) -> list[str]:
        """The components that talk to the API server."""
        names = ["kube-controller-manager"]
        names += ["kube-scheduler"] if self.settings.scheduler else []
        return [*names, "kwok"] if self.settings.kwok else names

    def _launch(self, name: str) -> Process:
        # etcd takes every ETCD_ variable of the environment for a flag.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")}
        return self._spawn(name, self._argv(name), environment)

    def _wait_ready(self, name: str) -> None:
        """Wait until a component says that it is well."""
        context, url, process = self.pki.ssl_context(), self._health_url(name), self._processes[name]
        if name != "etcd":  # the API server's own readiness says that etcd is there
            probe.wait_until(f"{name} ready", lambda: probe.healthy(url, context), process=process)

    def _argv(self, name: str) -> Sequence[str | Path]:
        """The command line of a component."""
        pki, port, binary = self.pki, self.port, self.bin(name)
        match name:
            case "etcd":
                return components.etcd(binary, pki, self.state_dir / "etcd", port("etcd"), port("etcd-peer"))
            case "kube-apiserver":
                extra = [
                    *(components.aggregation(pki) if self.settings.usage else []),
                    *self.settings.extra_apiserver_args,
                ]
                return components.kube_apiserver(binary, pki, port(name), port("etcd"), extra)
            case "kube-controller-manager":
                kubeconfig = self.kubeconfig_for("system:kube-controller-manager")
                return components.kube_controller_manager(binary, pki, kubeconfig, port(name))
            case "kube-scheduler":
                kubeconfig = self.kubeconfig_for("system:kube-scheduler")
                config = self.state_dir / "kube-scheduler.yaml"
                config.write_text(components.scheduler_configuration(kubeconfig), encoding="utf-8")
                return components.kube_scheduler(binary, pki, kubeconfig, config, port(name))
            case _:
                kubeconfig = self.kubeconfig_for("kwok", ["system:masters"])  # it acts for every kubelet
                stages = self._binaries.stages if self._binaries else Path()
                usage = self.state_dir / "kwok-usage.yaml" if self.settings.usage else None
                if usage is not None:
                    usage.write_text(kwok_configuration(), encoding="utf-8")
                return components.kwok(binary, stages, kubeconfig, port(name), usage)

    def _health_url(self, name: str) -> str:
        if name == "kwok":
            return f"http://127.0.0.1:{self.port(name)}/healthz"
        return f"https://127.0.0.1:{self.port(name)}/{'readyz' if name == 'kube-apiserver' else 'healthz'}"

    def _spawn(self, name: str, argv: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Process:
        if not _NAME.fullmatch(name):
            raise ValueError(f"process name {name!r}: use lower-case letters, digits, hyphens and dots")
        running = self._processes.get(name)
        if running is not None and running.returncode is None:
            raise ValueError(f"process {name!r} runs already, pid {running.pid}; stop it first")
        process = Process(name, argv, self.log_dir / f"{name}.log", environment)
        self._processes[name] = process
        self._write_status()
        return process

    def _write_status(self) -> None:
        """Leave a record for ``stowplan sandbox status`` of another process."""
        write_status(
            self.state_dir,
            [ComponentStatus.of(process, self._port.get(name)) for name, process in self._processes.items()],
        )
