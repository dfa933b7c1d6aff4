"""The command by hand without a control plane: exit codes, messages, what is printed."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.errors import SandboxError
from sandbox.paths import sandbox_dir
from sandbox.processes import ProcessIdentity, identity_of
from sandbox.status import ComponentStatus, write_keeper, write_status
from stowplan.cli.sandbox import app

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state directory of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return sandbox_dir("default")


def record(state_dir: Path, *, alive: bool) -> None:
    """What a ready keeper leaves; this test plays keeper and component."""
    own = identity_of(os.getpid())
    assert own is not None
    identity = own if alive else ProcessIdentity(own.pid, own.start_ticks - 1)
    state_dir.mkdir(parents=True)
    write_keeper(state_dir, "ready")
    write_status(state_dir, [ComponentStatus("etcd", identity, 2379, str(state_dir / "logs" / "etcd.log"))])


def test_nothing_is_up() -> None:
    result = RUNNER.invoke(app, ["status", "-o", "json"])

    assert result.exit_code == 1
    assert json.loads(result.stdout)["phase"] == "down"


def test_a_ready_sandbox_is_reported_as_such(state: Path) -> None:
    record(state, alive=True)

    result = RUNNER.invoke(app, ["status", "-o", "json"])

    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["phase"] == "ready"
    (component,) = report["components"]
    assert component.items() >= {"name": "etcd", "running": True, "pid": os.getpid(), "port": 2379}.items()
    assert component["memory_bytes"] > 0


def test_an_ended_component_is_seen_and_is_a_failure(state: Path) -> None:
    record(state, alive=False)

    result = RUNNER.invoke(app, ["status"])

    assert result.exit_code == 1
    assert "etcd" in result.stdout
    assert "ended" in result.stdout
    assert str(Path("logs", "etcd.log")) in result.stdout


def test_the_kubeconfig_is_printed_alone(state: Path) -> None:
    record(state, alive=True)

    result = RUNNER.invoke(app, ["kubeconfig"])

    assert (result.exit_code, result.stdout) == (0, f"{state / 'admin.kubeconfig'}\n")


def test_without_a_sandbox_the_remedy_is_named() -> None:
    result = RUNNER.invoke(app, ["kubeconfig", "--name", "other"])

    assert result.exit_code == 1
    assert "stowplan sandbox up --name other" in result.stderr


def test_a_name_that_is_no_name_is_a_usage_error() -> None:
    result = RUNNER.invoke(app, ["status", "--name", "../etc"])

    assert result.exit_code == 2
    assert "'../etc'" in result.stderr


def test_down_without_a_sandbox_is_no_error() -> None:
    result = RUNNER.invoke(app, ["down"])

    assert result.exit_code == 0
    assert "does not exist" in result.stderr


def test_up_prints_the_kubeconfig_and_passes_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def up(name: str, *, nodes: int, bare: bool) -> Path:
        calls.append((name, nodes, bare))
        return Path("/k")

    monkeypatch.setattr("sandbox.lifecycle.up", up)

    result = RUNNER.invoke(app, ["up", "--name", "one", "--nodes", "7", "--bare"])

    assert (result.exit_code, result.stdout) == (0, "/k\n")
    assert calls == [("one", 7, True)]


def test_a_failed_start_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def up(_name: str, **_options: object) -> Path:
        raise SandboxError("no port")

    monkeypatch.setattr("sandbox.lifecycle.up", up)

    result = RUNNER.invoke(app, ["up"])

    assert (result.exit_code, result.stderr) == (1, "error: no port\n")
