"""Builds the binaries of the control plane once per version and caches them outside the work tree.

The cache key is a hash of go.mod, go.sum and the Go version. A build happens in a temporary directory under a
file lock and is published by a rename, so it is complete or absent, and two builds at once do the work once.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sandbox import kubebuilder
from sandbox.activity import activity
from sandbox.go_module import go_environment, go_install, go_output, locked, source_hash
from sandbox.paths import cache_dir
from sandbox.toolchain import Toolchain, install_toolchain, required_version, select_toolchain

MODULE = Path(__file__).parent / "golang"
"""The directory of go.mod and go.sum."""
KWOK_MODULE = "sigs.k8s.io/kwok"
PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    }
)
"""Name of each binary and the Go package it is built from."""
_BUILT_AS = {"etcd": "server"}
"""Binaries that ``go install`` names otherwise: after the last element of their package's path."""
_RECORD = "build.json"
_STAGES = "stages"


@dataclass(frozen=True)
class Binaries:
    """Where the binaries are. ``stages`` holds KWOK's Stage files."""

    paths: Mapping[str, Path]
    stages: Path

    def path(self, name: str) -> Path:
        """The path of a binary.

        Raises:
            ValueError: there is no binary of this name.
        """
        if name not in self.paths:
            raise ValueError(f"binary {name!r} is unknown; there are {', '.join(sorted(self.paths))}")
        return self.paths[name]


def kubernetes_version(go_mod: str) -> str:
    """The version of Kubernetes that go.mod asks for, such as ``v1.36.3``."""
    found = re.search(r"^\s*(?:require )?k8s\.io/kubernetes (v\d+\.\d+\.\d+)\b", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError("go.mod requires no k8s.io/kubernetes; add a line such as 'k8s.io/kubernetes v1.36.3'")
    return found.group(1)


def ensure_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """The binaries of the control plane, built now if the cache does not have them (about five minutes, 2 cores).

    With ``$KUBEBUILDER_ASSETS``, etcd, kube-apiserver and kubectl are taken from there if they are not older
    than the rest, and only the others are built.

    Raises:
        BuildError: no toolchain, or the build failed; the message carries the end of the compiler's output.
    """
    go_mod = (MODULE / "go.mod").read_text(encoding="utf-8")
    assets = kubebuilder.assets(environment, kubernetes_version(go_mod))
    packages = {name: package for name, package in PACKAGES.items() if name not in assets}
    cache = cache_dir(environment) / "controlplane"
    directory = _published(cache, packages, environment) or _build(cache, packages, environment)
    return Binaries(MappingProxyType({**{name: directory / name for name in packages}, **assets}), directory / _STAGES)


def _directory(cache: Path, packages: Mapping[str, str], toolchain: Toolchain) -> Path:
    """The directory that a build with this toolchain is published as."""
    partial = "" if len(packages) == len(PACKAGES) else "-" + "-".join(sorted(packages))
    return cache / f"{source_hash(MODULE)}-{toolchain}{partial}"


def _published(cache: Path, packages: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """A complete earlier build. Without Go on PATH any toolchain's build of the same sources serves."""
    toolchain = select_toolchain(_minimum(), environment)
    exact = _directory(cache, packages, toolchain)
    candidates = [exact]
    if toolchain.go is None:
        candidates += sorted(cache.glob(f"{source_hash(MODULE)}-go*"), reverse=True)
    return next((path for path in candidates if _complete(path, packages)), None)


def _complete(directory: Path, packages: Mapping[str, str]) -> bool:
    """Whether a directory holds all the binaries; somebody may have cleaned half of the cache."""
    return (directory / _RECORD).exists() and all((directory / name).exists() for name in packages)


def _minimum() -> tuple[int, int, int]:
    return required_version((MODULE / "go.mod").read_text(encoding="utf-8"))


def _build(cache: Path, packages: Mapping[str, str], environment: Mapping[str, str]) -> Path:
    """Build and publish, or wait for whoever is at it already."""
    toolchain = select_toolchain(_minimum(), environment)
    target = _directory(cache, packages, toolchain)
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{target.name}.lock", "the control plane"):
        if _complete(target, packages):
            return target
        shutil.rmtree(target, ignore_errors=True)
        temporary = cache / f".building-{target.name}"
        shutil.rmtree(temporary, ignore_errors=True)  # left by a build that was killed
        temporary.mkdir()
        try:
            go = install_toolchain(toolchain, cache_dir(environment))
            _compile(go, temporary, packages, environment)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def _compile(go: Path, directory: Path, packages: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Compile the packages into ``directory`` and put KWOK's Stage files and a record of the build beside them."""
    version = kubernetes_version((MODULE / "go.mod").read_text(encoding="utf-8"))
    variables = go_environment(environment, directory)
    with activity(f"Building Kubernetes {version} (once, some minutes)") as progress:
        go_install(go, MODULE, list(packages.values()), link_flags(version), variables, progress)
        for name, built_as in _BUILT_AS.items():
            if name in packages:
                (directory / built_as).rename(directory / name)
        kwok = Path(go_output(go, MODULE, ["list", "-m", "-f", "{{.Dir}}", KWOK_MODULE], variables).strip())
        # File by file: folders of the module cache are read-only, and copytree would copy that.
        for stage in sorted((kwok / "kustomize" / "stage").glob("*/*/*.yaml")):
            copy = directory / _STAGES / stage.relative_to(kwok / "kustomize" / "stage")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(stage.read_bytes())
    record = {
        "kubernetes": version,
        "go": go_output(go, MODULE, ["version"], variables).strip(),
        "packages": dict(packages),
    }
    (directory / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def link_flags(version: str) -> str:
    """Linker flags that stamp the version: unstamped, Kubernetes calls itself v0.0.0-master and clients balk."""
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items()]
    return " ".join(["-s", "-w", *flags])
