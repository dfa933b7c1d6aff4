"""metrics-server is built once, from its own module."""

import os
from pathlib import Path

import pytest

from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.errors import BuildError, SandboxError
from sandbox.metrics_server import MODULE, ensure_metrics_server, start_metrics_server

FAKE_GO = """#!/bin/sh
case "$1 $2" in
"version "*) echo "go version go1.26.8 linux/amd64" ;;
"list -deps") echo one two ;;
"install -v") echo "$PWD" >> "{home}/installs"; {result} ;;
esac
"""


def environment(home: Path, result: str) -> dict[str, str]:
    """An environment with a fake go on PATH and a cache of its own."""
    program = home / "bin" / "go"
    program.parent.mkdir(exist_ok=True)
    program.write_text(FAKE_GO.format(home=home, result=result))
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.defpath}", "XDG_CACHE_HOME": str(home / "cache")}


def test_it_is_built_once_in_its_own_module(tmp_path: Path) -> None:
    variables = environment(tmp_path, 'touch "$GOBIN/metrics-server"')
    first = ensure_metrics_server(variables)
    assert first.exists()
    assert ensure_metrics_server(variables) == first
    assert (tmp_path / "installs").read_text().split() == [str(MODULE)]


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    variables = environment(tmp_path, "echo no such module >&2; exit 1")
    with pytest.raises(BuildError, match="no such module"):
        ensure_metrics_server(variables)
    left = [path.name for path in (tmp_path / "cache" / "stowplan" / "metrics-server").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_without_an_aggregation_layer_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="usage=True"):
        start_metrics_server(ControlPlane(SandboxSettings(tmp_path)))
