"""The history: appended, never rewritten, and read back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perf import history
from perf.gates import judge
from perf.part import Profile
from tests.support.perf import gate, result

GOLDEN = Path(__file__).parent.parent / "golden" / "perf"


def entry(date: str, value: float = 1.1, commit: str = "c") -> history.Entry:
    return history.Entry(date, commit, Profile.SHORT, "cost", value, (value,), 1.2, "passed", "A CPU")


def test_a_run_adds_one_line_for_each_gate_with_a_figure(tmp_path: Path) -> None:
    results = {"packing": result({"cost": [1.1, 1.0]})}
    verdicts = judge([gate(value=("cost", "*")), gate("other", value=("none",))], results, Profile.SHORT)
    path = tmp_path / "deep" / "history.jsonl"
    history.append(path, history.entries(verdicts, results))
    assert path.read_text(encoding="utf-8") == (GOLDEN / "history.jsonl").read_text(encoding="utf-8")


def test_lines_are_added_behind_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history.append(path, [entry("2026-01-01")])
    before = path.read_bytes()
    history.append(path, [entry("2026-01-02")])
    assert path.read_bytes().startswith(before)
    assert history.read(path) == [entry("2026-01-01"), entry("2026-01-02")]


def test_no_file_is_no_history(tmp_path: Path) -> None:
    assert history.read(tmp_path / "history.jsonl") == []


@pytest.mark.parametrize("line", ["{", "{}", '{"schema_version": 2}', '{"schema_version": 1, "gate": "cost"}'])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "history.jsonl"
    history.append(path, [entry("2026-01-01")])
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"history\.jsonl, line 2: .*take the line out"):
        history.read(path)


def test_a_series_is_by_date_and_counts_a_run_once() -> None:
    recorded = [entry("2026-01-02", 1.2), entry("2026-01-01", 1.1)]
    local = [entry("2026-01-02", 1.2), entry("2026-01-03", 1.3)]
    kept = history.series(history.merged(recorded, local), "cost", Profile.SHORT)
    assert [e.value for e in kept] == [1.1, 1.2, 1.3]
    assert not history.series(local, "cost", Profile.FULL)
    assert not history.series(local, "other", Profile.SHORT)


def test_the_recorded_history_can_be_read() -> None:
    lines = history.RECORDED.read_text(encoding="utf-8").splitlines()
    assert len(history.read(history.RECORDED)) == len(lines)
    assert all(json.loads(line)["commit"] != "unknown" for line in lines)
