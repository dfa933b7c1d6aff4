"""Binaries of controller-runtime's envtest, where ``$KUBEBUILDER_ASSETS`` says they are."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

NAMES = ("etcd", "kube-apiserver", "kubectl")
"""What a folder of envtest binaries holds."""


def minor_version(text: str) -> tuple[int, int] | None:
    """Major and minor of the first Kubernetes version in a text, or None."""
    found = re.search(r"v(\d+)\.(\d+)\.", text)
    return None if found is None else (int(found.group(1)), int(found.group(2)))


def assets(environment: Mapping[str, str], version: str) -> dict[str, Path]:
    """The usable binaries by name: all of `NAMES`, or nothing.

    They are passed over when one is missing, or when the API server is older than ``version``: Kubernetes
    supports no component that is newer than its API server.
    """
    value = environment.get("KUBEBUILDER_ASSETS", "")
    found = {name: Path(value).absolute() / name for name in NAMES} if value else {}
    if not found or not all(path.is_file() for path in found.values()):
        return {}
    result = subprocess.run([str(found["kube-apiserver"]), "--version"], capture_output=True, text=True, check=False)
    theirs, ours = minor_version(result.stdout), minor_version(version)
    return found if theirs is not None and ours is not None and theirs >= ours else {}
