"""Where parts that need a cluster with stowplan in it find one: the sandbox, kind, or whatever a kubeconfig names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sandbox.activity import Activity
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.install import install_stowplan
from sandbox.kind.cluster import KindCluster
from sandbox.kind.settings import kind_settings
from stowplan.kube.connection import Connection


@dataclass(frozen=True, slots=True)
class Service:
    """A service of ours that can be called directly."""

    url: str
    ca_file: Path


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster with stowplan installed and ready."""

    connection: Connection
    """As administrator."""
    control_plane: ControlPlane | None = None
    """Only of a sandbox: its processes can be measured and started."""
    kind: KindCluster | None = None
    """Only of kind: what runs in it can be rearranged."""
    webhook: Service | None = None
    """Out of reach where it is behind the cluster's network."""


Place = Callable[[Path, Activity], AbstractContextManager[Cluster]]
"""Makes a cluster (state in the directory, progress shown) and takes it away after the block."""


class PlaceName(StrEnum):
    """What `--cluster` takes."""

    SANDBOX = "sandbox"
    """A fresh embedded control plane."""
    KIND = "kind"
    """A fresh kind cluster; images are built, see docs/kind.md."""
    CURRENT = "current"
    """The cluster of `$KUBECONFIG`, in which stowplan is installed already."""


def place_named(name: PlaceName) -> Place:
    """Where parts find their cluster."""
    return {PlaceName.SANDBOX: sandbox, PlaceName.KIND: kind, PlaceName.CURRENT: current}[name]


@contextmanager
def sandbox(state_dir: Path, progress: Activity) -> Iterator[Cluster]:
    """A control plane of one's own with stowplan installed.

    Raises:
        SandboxError: something could not be built or started.
    """
    with ControlPlane(SandboxSettings(state_dir=state_dir, name="perf")) as plane:
        installed = install_stowplan(plane, progress=progress)
        yield Cluster(
            Connection.from_kubeconfig(plane.kubeconfig),
            plane,
            webhook=Service(f"{installed.webhook_url}/mutate", plane.ca_file),
        )


@contextmanager
def kind(_state_dir: Path, progress: Activity) -> Iterator[Cluster]:
    """A kind cluster with stowplan running in pods, KWOK beside it.

    Raises:
        SandboxError: docker or kind is not there, or a step failed.
    """
    with KindCluster(kind_settings(os.environ), progress) as made:
        yield Cluster(Connection.from_kubeconfig(made.kubeconfig), kind=made)


@contextmanager
def current(_state_dir: Path, _progress: Activity) -> Iterator[Cluster]:
    """The cluster of the caller's kubeconfig, as it is.

    Raises:
        ConnectionConfigError: no usable kubeconfig.
    """
    yield Cluster(Connection.resolve())
