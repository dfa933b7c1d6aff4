"""Builds the test binary once and caches it: the sandbox's Go module (same versions, same sums) with one test file of ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.activity import activity
from sandbox.build import MODULE, kubernetes_version
from sandbox.errors import BuildError
from sandbox.locks import wait_for_lock
from sandbox.paths import cache_dir
from sandbox.toolchain import install_toolchain, required_version, select_toolchain

SOURCES: Final = Path(__file__).parent / "golang"
_TOPICS: Final = Path("test", "integration", "scheduler_perf")
_LOG_CHARACTERS: Final = 3000


@dataclass(frozen=True, slots=True)
class Bench:
    """What is needed to run the workloads."""

    binary: Path
    workloads: Path
    """The folder of the official workloads: one folder per topic, and `templates`."""
    module_cache: Path
    """Go's, which the paths in the binary are relative to."""


def ensure_bench(environment: Mapping[str, str] = os.environ) -> Bench:
    """The test binary, built now if the cache does not have it (a minute or two after the sandbox's own build).

    Raises:
        BuildError: no toolchain, or the build failed; the message has the end of the compiler's output.
    """
    go_mod = (MODULE / "go.mod").read_text(encoding="utf-8")
    toolchain = select_toolchain(required_version(go_mod), environment)
    cache = cache_dir(environment) / "scheduler_perf"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{_source_hash()}-{toolchain}"
    with (cache / f"{target.name}.lock").open("w", encoding="utf-8") as lock:
        wait_for_lock(lock)
        go = install_toolchain(toolchain, cache_dir(environment))
        if not (target / "bench.test").exists():
            _build(go, target, kubernetes_version(go_mod), environment)
        module = Path((target / "module").read_text(encoding="utf-8"))
    if not module.is_dir():
        shutil.rmtree(target)
        raise BuildError(f"{module} is gone from Go's module cache; run again to have it downloaded and built")
    return Bench(target / "bench.test", module / _TOPICS, module.parents[1])


def _source_hash() -> str:
    """Everything that decides what is compiled, except the compiler."""
    digest = hashlib.sha256()
    for path in (MODULE / "go.mod", MODULE / "go.sum", *sorted(SOURCES.glob("*.go"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(go: Path, target: Path, version: str, environment: Mapping[str, str]) -> None:
    """Compile in a copy of the module, so that the one under version control stays as it is; publish by a rename."""
    fixed = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    variables = {**environment, **fixed}
    with (
        activity(f"Building scheduler_perf of Kubernetes {version} (once, some minutes)"),
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as folder,
    ):
        made = Path(folder) / "module"
        made.mkdir()
        for path in (MODULE / "go.mod", MODULE / "go.sum", *SOURCES.glob("*.go")):
            shutil.copy(path, made)
        published = Path(folder) / "published"
        published.mkdir()
        # -mod=mod may write requirements of tests into the copy's go.mod; go.sum still pins what is downloaded.
        _go(go, ["test", "-c", "-vet=off", "-trimpath", "-o", str(published / "bench.test"), "."], made, variables)
        module = _go(go, ["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"], made, variables)
        (published / "module").write_text(module.strip(), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        published.rename(target)


def _go(go: Path, arguments: list[str], folder: Path, variables: Mapping[str, str]) -> str:
    result = subprocess.run(
        [str(go), *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise BuildError(f"go {' '.join(arguments[:2])} failed:\n{result.stderr[-_LOG_CHARACTERS:]}")
    return result.stdout
