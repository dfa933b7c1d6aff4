"""What the kind cluster is made from; every setting is an environment variable, for `make`."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import SandboxError
from sandbox.manifests import manifests_dir

DEFAULT_NODE_IMAGE: Final = "kindest/node:v1.36.3"
"""Its Kubernetes is the one of the kube-scheduler image that the manifests name, which is on such a node already."""
DEFAULT_BASE_IMAGE: Final = "docker.io/library/python:3.11-slim"
IMAGE: Final = "docker.io/library/stowplan:dev"
"""The name that manifests/overlays/kind uses."""
_CONFIG: Final = Path(__file__).with_name("cluster.yaml")


@dataclass(frozen=True)
class KindSettings:
    """What to build and start."""

    name: str = "stowplan"
    """Of the cluster; one that was not made here is never touched."""
    node_image: str = DEFAULT_NODE_IMAGE
    base_image: str = DEFAULT_BASE_IMAGE
    """What the image is built from; see `Containerfile`."""
    build_args: tuple[str, ...] = ()
    """More arguments for `docker build`, such as `--network=host`."""
    config: Path = _CONFIG
    """Of the cluster, in kind's own format."""
    kubeconfig: Path = Path("build/kind/kubeconfig")
    keep: bool = False
    """Leave the cluster running at the end."""


def kind_settings(environment: Mapping[str, str]) -> KindSettings:
    """The settings from `KIND_CLUSTER`, `KIND_NODE_IMAGE`, `KIND_BASE_IMAGE`, `KIND_BUILD_ARGS`, `KIND_CONFIG` and `KIND_KEEP`.

    Raises:
        SandboxError: the configuration file is not there, or `KIND_KEEP` is neither 0 nor 1.
    """
    config = Path(environment.get("KIND_CONFIG") or _CONFIG)
    if not config.is_file():
        raise SandboxError(f"KIND_CONFIG {config}: there is no such file; leave it out or name kind's configuration")
    keep = environment.get("KIND_KEEP", "0") or "0"
    if keep not in ("0", "1"):
        raise SandboxError(f"KIND_KEEP is {keep!r}; write 1 to leave the cluster running, 0 to delete it")
    default = KindSettings()
    return KindSettings(
        name=environment.get("KIND_CLUSTER") or default.name,
        node_image=environment.get("KIND_NODE_IMAGE") or default.node_image,
        base_image=environment.get("KIND_BASE_IMAGE") or default.base_image,
        build_args=tuple(shlex.split(environment.get("KIND_BUILD_ARGS", ""))),
        config=config,
        kubeconfig=manifests_dir().parent / default.kubeconfig,
        keep=keep == "1",
    )
