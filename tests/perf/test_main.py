"""`python -m perf` from the command line to exit status, files and report, with parts that measure nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import perf.__main__ as command
from perf import history
from perf.cluster import PlaceName
from perf.part import Context, Data, Part, Profile
from tests.support.perf import gate, part, section


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Two parts, `packing` with a cost to be set, and one gate on it; the recorded history is a file of the test."""
    found: dict[str, Any] = {"cost": 1.1}
    monkeypatch.setattr(command, "PARTS", (part("packing", found), part("sizing", {"cost": 2.0})))
    monkeypatch.setattr(command, "read_gates", lambda: [gate()])
    monkeypatch.setattr(history, "RECORDED", tmp_path / "recorded.jsonl")
    return found


def run(tmp_path: Path, *arguments: str) -> int:
    return command.main(["--output", str(tmp_path / "out"), "--short", *arguments])


def test_a_run_leaves_results_gates_history_and_a_report(suite: dict[str, Any], tmp_path: Path) -> None:
    assert suite
    assert run(tmp_path) == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in (out / "parts").iterdir()) == ["packing.json", "sizing.json"]
    (judged,) = json.loads((out / "gates.json").read_text(encoding="utf-8"))
    assert (judged["gate"], judged["status"], judged["value"]) == ("cost", "passed", 1.1)
    assert len(history.read(out / "history.jsonl")) == 1
    assert not history.RECORDED.exists()
    assert "Nothing got worse" in (out / "report.html").read_text(encoding="utf-8")


def test_a_regression_is_exit_status_1_and_a_sentence(
    suite: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite["cost"] = 1.5
    assert run(tmp_path) == 1
    said = capsys.readouterr().out
    assert "BROKEN cost: 1.5 x, must be at most 1.2 (worse by 0.3" in said
    assert "make perf-short PERF='--parts packing'" in said


def test_a_part_that_fails_is_exit_status_1(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_context: Context) -> Data:
        raise OSError("no disk")

    assert suite
    monkeypatch.setattr(command, "PARTS", (Part("sizing", broken, section),))
    assert run(tmp_path) == 1
    assert "part sizing: OSError: no disk" in capsys.readouterr().out


def test_a_part_alone_is_judged_alone_and_reported_with_what_is_there(suite: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path)
    suite["cost"] = 1.15
    assert run(tmp_path, "--parts", "packing") == 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1.15" in report
    assert 'id="sizing"' in report  # measured before, still shown
    suite["cost"] = 9.0
    assert run(tmp_path, "--report") == 0  # measures nothing: what is there still holds


def test_data_of_another_version_is_a_note_in_the_report(suite: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path)
    del suite["cost"]  # what the section needs
    run(tmp_path, "--parts", "packing")
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "written by another version of the part (KeyError(&#x27;cost&#x27;))" in report
    assert 'id="sizing"' in report


def test_record_adds_to_the_history_under_version_control(suite: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path, "--record")
    run(tmp_path)
    assert [entry.value for entry in history.read(history.RECORDED)] == [suite["cost"]]
    assert len(history.read(tmp_path / "out" / "history.jsonl")) == 2


def test_propose_prints_bounds_from_the_history(
    suite: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite
    run(tmp_path)
    capsys.readouterr()
    assert run(tmp_path, "--propose") == 0
    # One run of 1.1: the margin is 2 % of it.
    assert "short = { bound = 1.122, mean = 1.1, spread = 0.0, runs = 1, margin = 0.022" in capsys.readouterr().out


def test_an_unknown_part_is_exit_status_2_and_a_remedy(
    suite: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, "--parts", "nonsense")
    assert caught.value.code == 2
    assert "choose from packing, sizing" in capsys.readouterr().err


def test_results_of_the_other_profile_are_not_mixed_in(suite: dict[str, Any], tmp_path: Path) -> None:
    assert suite
    run(tmp_path)
    assert command.main(["--output", str(tmp_path / "out"), "--parts", "sizing"]) == 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert Profile.FULL in report
    assert 'id="packing"' not in report


def test_ctrl_c_keeps_what_was_found_and_is_exit_status_130(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_context: Context) -> Data:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "PARTS", (part("packing", suite), Part("sizing", interrupted, section)))
    assert run(tmp_path) == 130
    assert "interrupted after 1 of 2 parts" in capsys.readouterr().out
    (judged,) = json.loads((tmp_path / "out" / "gates.json").read_text(encoding="utf-8"))
    assert (judged["status"], judged["value"]) == ("passed", 1.1)
    assert (tmp_path / "out" / "report.html").exists()


def test_a_run_says_beforehand_how_long_it_will_take(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    takes = {Profile.SHORT: 30, Profile.FULL: 600}
    monkeypatch.setattr(command, "PARTS", (part("packing", suite, takes=takes), part("sizing", {"cost": 2.0})))
    run(tmp_path)
    assert "about 30 s in all, and sizing: packing 30 s" in capsys.readouterr().out
    run(tmp_path, "--list")
    assert "packing          full, short  full 10 min, short 30 s" in capsys.readouterr().out


def test_list_names_the_parts_of_a_place_and_how_long_they_take_there(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everywhere = part(
        "packing", suite, takes={Profile.FULL: 600}, takes_in_kind={Profile.FULL: 1200}, places=frozenset(PlaceName)
    )
    monkeypatch.setattr(command, "PARTS", (everywhere, part("sizing", {"cost": 2.0})))
    assert run(tmp_path, "--list", "--cluster", "kind") == 0
    assert capsys.readouterr().out.split() == ["packing", "full,", "short", "full", "20", "min"]


def test_list_names_the_parts(suite: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suite
    assert run(tmp_path, "--list") == 0
    assert capsys.readouterr().out.split() == ["packing", "full,", "short", "sizing", "full,", "short"]
