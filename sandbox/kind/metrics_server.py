"""metrics-server in kind: the sandbox's binary in an image that holds nothing else, so that real kubelets' usage is learned from."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox.kind.commands import run
from sandbox.metrics_server import NAME, ensure_metrics_server

METRICS_IMAGE: Final = "docker.io/library/metrics-server:dev"
"""The name that metrics-server.yaml uses."""
MANIFEST: Final = Path(__file__).with_name("metrics-server.yaml")
API_SERVICE: Final = "apiservice/v1beta1.metrics.k8s.io"
_CONTAINERFILE: Final = f'FROM scratch\nCOPY {NAME} /{NAME}\nENTRYPOINT ["/{NAME}"]\n'


def build_metrics_server_image(environment: Mapping[str, str]) -> None:
    """Build the image, and before it the binary if the cache does not have it (a few minutes, once).

    Raises:
        SandboxError: one of them could not be built.
    """
    binary = ensure_metrics_server(environment)
    with tempfile.TemporaryDirectory(prefix="stowplan-metrics-server-") as folder:
        context = Path(folder)
        shutil.copy(binary, context / NAME)
        (context / "Containerfile").write_text(_CONTAINERFILE, encoding="ascii")
        argv: list[str | Path] = ["docker", "build", "-f", context / "Containerfile", "-t", METRICS_IMAGE, context]
        run(argv, environment=environment)
