"""The JSON contract of a part's file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perf import results
from perf.results import current_commit, decode, encode, load, store, this_machine
from tests.support.perf import result

GOLDEN = Path(__file__).parent.parent / "golden" / "perf" / "part.json"


def test_the_file_is_as_documented() -> None:
    assert encode(result({"cost": 1.1})) == GOLDEN.read_text(encoding="utf-8")


def test_it_is_read_back_as_it_was() -> None:
    for value in (result({"cost": 1.1}), result(None, error="OSError: no disk")):
        assert decode(encode(value)) == value


def test_results_lie_side_by_side_and_the_latest_counts(tmp_path: Path) -> None:
    store(tmp_path, result({"cost": 1.0}))
    store(tmp_path, result({"cost": 1.1}))
    store(tmp_path, result({"cost": 2.0}, "openb"))
    assert {name: found.data for name, found in load(tmp_path).items()} == {
        "packing": {"cost": 1.1},
        "openb": {"cost": 2.0},
    }


@pytest.mark.parametrize("text", ["{}", "[]", '{"schema_version": 9}', '{"schema_version": 1, "part": "x"}'])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    path = store(tmp_path, result({"cost": 1.0}))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"packing\.json: not .* make perf"):
        load(tmp_path)


def test_a_recorded_history_does_not_make_the_sources_dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "perf").mkdir()
    for name in ("history.jsonl", "results.py"):
        (tmp_path / "perf" / name).touch()
    monkeypatch.setattr(results, "__file__", str(tmp_path / "perf" / "results.py"))
    assert current_commit() == "unknown"
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    clean = git("rev-parse", "--short=12", "HEAD")

    assert current_commit() == clean
    (tmp_path / "perf" / "history.jsonl").write_text("{}")
    assert current_commit() == clean
    (tmp_path / "perf" / "results.py").write_text("x = 1")
    assert current_commit() == f"{clean}-dirty"


def test_the_machine_is_described_and_the_commit_named() -> None:
    machine = this_machine()
    assert machine.cpus >= 1
    assert machine.memory_mib > 0
    assert current_commit()
