"""The cluster: image built and loaded, stowplan applied from the manifests and ready, KWOK beside it; all gone at the end."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from sandbox import components
from sandbox.activity import Activity
from sandbox.build import Binaries, ensure_binaries
from sandbox.errors import SandboxError
from sandbox.kind.commands import check_docker, run
from sandbox.kind.metrics_server import API_SERVICE, MANIFEST, METRICS_IMAGE, build_metrics_server_image
from sandbox.kind.settings import IMAGE, KindSettings
from sandbox.manifests import manifests_dir
from sandbox.ports import PortReservation
from sandbox.processes import Process
from stowplan.model.keys import SYSTEM_NAMESPACE

_READY: Final = "240s"
_DELETE_PAUSES: Final = (5.0, 20.0)
"""Seconds before the next attempt to delete a cluster."""
OVERLAY: Final = "overlays/kind"


class KindCluster:
    """A context manager: a kind cluster with stowplan in it.

    Args:
        settings: what to make.
        progress: where to say how far it is.
    """

    def __init__(self, settings: KindSettings, progress: Activity) -> None:
        self.settings = settings
        self._progress = progress
        self._binaries: Binaries | None = None
        self._kwok: Process | None = None
        self._ports = PortReservation()
        self._made = False

    def __enter__(self) -> Self:
        """See `start`."""
        self.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Take it away, unless it is to be kept. What went wrong in the block is not hidden by what goes wrong here."""
        self._stop_after(error)

    @property
    def kubeconfig(self) -> Path:
        """Of the cluster's administrator."""
        return self.settings.kubeconfig

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl against the cluster.

        Raises:
            SandboxError: it ends with an error.
        """
        return run([self._tools.path("kubectl"), *arguments], environment=self._environment, text=text)

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods of stowplan by name."""
        listed = json.loads(self.kubectl("-n", SYSTEM_NAMESPACE, "get", "pods", "-o", "json"))
        return {pod["metadata"]["name"]: pod for pod in listed["items"]}

    def start(self) -> None:
        """Make everything; what was made is taken away again when a step fails, unless it is to be kept.

        Raises:
            SandboxError: docker or kind is not there, or a step failed; the message says which and why.
        """
        try:
            self._start()
        except BaseException as error:
            self._stop_after(error)
            raise

    def _stop_after(self, error: BaseException | None) -> None:
        try:
            self.stop()
        except SandboxError as second:
            if error is None:
                raise
            error.add_note(f"and then: {second}")

    def stop(self) -> None:
        """Stop KWOK and delete the cluster if it was made here and is not to be kept."""
        if self._kwok is not None:
            self._kwok.stop()
            self._kwok = None
        self._ports.release()
        if self._made and not self.settings.keep:
            self._delete()
            self._made = False

    def _delete(self) -> None:
        """On a busy machine docker gives up waiting for a container's end, and the next attempt finds it gone."""
        for pause in (*_DELETE_PAUSES, None):
            try:
                run(["kind", "delete", "cluster", "--name", self.settings.name], environment=self._environment)
            except SandboxError:
                if pause is None:
                    raise
                time.sleep(pause)
            else:
                return

    def _start(self) -> None:
        check_docker(self._environment)
        self._check_absent()
        self._binaries = ensure_binaries()
        self._progress.update("building the images")
        self._build_image()
        build_metrics_server_image(self._environment)
        self._progress.update(f"creating cluster {self.settings.name}")
        self._create()
        self._progress.update("loading the images")
        for image in (IMAGE, METRICS_IMAGE):
            run(["kind", "load", "docker-image", image, "--name", self.settings.name], environment=self._environment)
        self._progress.update("installing")
        self._install()
        self._progress.update("starting KWOK")
        self._start_kwok()

    def _build_image(self) -> None:
        root = manifests_dir().parent
        argv: list[str | Path] = ["docker", "build", "-f", root / "Containerfile", "-t", IMAGE]
        argv += ["--build-arg", f"BASE={self.settings.base_image}", *self.settings.build_args, root]
        run(argv, environment=self._environment)

    def _check_absent(self) -> None:
        name = self.settings.name
        if name in run(["kind", "get", "clusters"], environment=self._environment).split():
            raise SandboxError(
                f"there is a kind cluster {name!r} already; delete it, or name another one by KIND_CLUSTER"
            )

    def _create(self) -> None:
        settings = self.settings
        settings.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self._made = True  # also of a half-made one
        argv: list[str | Path] = ["kind", "create", "cluster", "--name", settings.name, "--image", settings.node_image]
        argv += ["--config", settings.config, "--kubeconfig", settings.kubeconfig, "--wait", _READY, "--retain"]
        run(argv, environment=self._environment)

    def _install(self) -> None:
        """As the README tells a person to do it; metrics-server beside it, as clusters have one."""
        self.kubectl("apply", "-f", str(MANIFEST))
        definitions = self.kubectl("apply", "-k", str(manifests_dir() / "crds"), "-o", "name").split()
        self.kubectl("wait", "--for=condition=Established", *definitions, f"--timeout={_READY}")
        self.kubectl("apply", "-k", str(manifests_dir() / OVERLAY))
        for name in self.kubectl("-n", SYSTEM_NAMESPACE, "get", "deployments", "-o", "name").split():
            self._rolled_out(name)
        self.kubectl("wait", "--for=condition=Available", API_SERVICE, f"--timeout={_READY}")

    def _rolled_out(self, deployment: str) -> None:
        try:
            self.kubectl("-n", SYSTEM_NAMESPACE, "rollout", "status", deployment, f"--timeout={_READY}")
        except SandboxError as error:
            events = self.kubectl("-n", SYSTEM_NAMESPACE, "get", "pods,events", "--sort-by=.metadata.creationTimestamp")
            raise SandboxError(f"{error}\n{events}") from error

    def _start_kwok(self) -> None:
        """KWOK runs here, not in the cluster: it needs no image."""
        argv = components.kwok(self._tools.path("kwok"), self._tools.stages, self.kubeconfig, self._ports.reserve())
        self._kwok = Process("kwok", argv, self.kubeconfig.with_name("kwok.log"))

    @property
    def _tools(self) -> Binaries:
        if self._binaries is None:
            raise SandboxError("the cluster has not been started; use it in a with statement")
        return self._binaries

    @property
    def _environment(self) -> Mapping[str, str]:
        """Kind and kubectl must not find, or change, a kubeconfig of the caller."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
