"""Small pieces: paths, records, annotations, kubeconfigs, progress, the seam of the installer."""

import base64
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from sandbox import activity as activity_module
from sandbox.activity import PlainActivity, activity
from sandbox.certificates import KeyPair
from sandbox.errors import ComponentFailedError
from sandbox.jobs import completes_after
from sandbox.kubeconfig import kubeconfig, write_kubeconfig
from sandbox.paths import cache_dir, sandbox_dir, state_root
from sandbox.probe import wait_until
from sandbox.processes import ProcessIdentity, identity_of
from sandbox.status import ComponentStatus, read_keeper, read_status, write_keeper, write_status


def test_paths_follow_the_xdg_variables() -> None:
    environment = {"XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"}

    assert cache_dir(environment) == Path("/c/stowplan")
    assert sandbox_dir("one", environment) == Path("/s/stowplan/sandboxes/one")


def test_relative_and_absent_xdg_variables_are_ignored() -> None:
    assert cache_dir({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/stowplan"
    assert state_root({}) == Path.home() / ".local/state/stowplan/sandboxes"


@pytest.mark.parametrize("name", ["", "..", "a/b", "Upper", "-a", "a-", "a" * 41])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 40 lower-case"):
        sandbox_dir(name)


def test_a_record_of_processes_reads_as_it_was_written(tmp_path: Path) -> None:
    own = identity_of(os.getpid())
    assert own is not None
    components = [
        ComponentStatus("alive", own, 1234, "a.log"),
        ComponentStatus("dead", ProcessIdentity(own.pid, 1), None, "b.log"),
    ]

    write_status(tmp_path, components)

    assert read_status(tmp_path) == components
    assert [component.running for component in components] == [True, False]
    assert components[1].memory_bytes == 0


def test_without_a_record_there_are_no_processes(tmp_path: Path) -> None:
    write_status(tmp_path / "gone", [])

    assert read_status(tmp_path) == []
    assert read_keeper(tmp_path) is None
    assert not (tmp_path / "gone").exists()


def test_the_keeper_records_itself(tmp_path: Path) -> None:
    write_keeper(tmp_path, "failed", "why")

    keeper = read_keeper(tmp_path)
    assert keeper is not None
    assert (keeper.identity.pid, keeper.phase, keeper.message) == (os.getpid(), "failed", "why")
    assert keeper.running


def test_completion_sets_delay_and_jitter_alike() -> None:
    # 1.5 s; KWOK takes the smaller of delay and jitter, and the jitter is 5 s by default.
    assert set(completes_after(1.5).values()) == {"1500ms"}
    assert len(completes_after(0)) == 2
    with pytest.raises(ValueError, match="seconds is -1"):
        completes_after(-1)


def test_a_kubeconfig_holds_everything_a_client_needs(tmp_path: Path) -> None:
    content = kubeconfig("box", "https://127.0.0.1:1", b"ca", "system:alice", KeyPair(b"crt", b"key"))
    path = write_kubeconfig(tmp_path / "new", "system:alice", content)

    document = yaml.safe_load(path.read_text())
    assert path.name == "system-alice.kubeconfig"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert document["current-context"] == "box"
    (cluster,), (user,) = document["clusters"], document["users"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"ca"
    assert base64.b64decode(user["user"]["client-certificate-data"]) == b"crt"
    assert base64.b64decode(user["user"]["client-key-data"]) == b"key"
    assert document["contexts"] == [{"name": "box", "context": {"cluster": "box", "user": user["name"]}}]


def test_plain_progress_writes_a_line_every_ten_seconds() -> None:
    lines: list[str] = []
    now = iter([0.0, 9.0, 10.0, 12.0, 25.0])
    plain = PlainActivity("Building", lines.append, lambda: next(now))

    plain.update("one", 1, 9)  # at 9 s: too early
    plain.update("two", 2, 9)  # at 10 s
    plain.update("three")  # at 12 s: too early
    plain.end("done")

    assert lines == ["Building ...", "Building: 2/9 two (10 s)", "Building: done (25.0 s)"]


def test_plain_progress_says_that_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO())

    with pytest.raises(KeyError), activity("Building", console):
        raise KeyError

    assert "Building: failed" in capsys.readouterr().err


def test_a_terminal_gets_a_live_line() -> None:
    output = io.StringIO()

    with activity("Building [x]", Console(file=output, force_terminal=True, width=100)) as live:
        live.update("one [y]", 1, 2)

    assert isinstance(live, activity_module.LiveActivity)
    assert "Building [x]" in output.getvalue()
    assert "one [y]" in output.getvalue()


def test_waiting_ends_with_the_condition_or_with_time() -> None:
    answers = iter([False, True])
    wait_until("it", lambda: next(answers), interval_seconds=0)

    with pytest.raises(ComponentFailedError, match="it: not within 0 s"):
        wait_until("it", lambda: False, timeout_seconds=0)


def test_the_shim_refuses_to_start_without_its_parent() -> None:
    shim = Path(activity_module.__file__).with_name("die_with_parent.py")
    result = subprocess.run(
        [sys.executable, "-I", "-S", str(shim), "1", "/bin/true"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert "parent 1 is gone" in result.stderr
