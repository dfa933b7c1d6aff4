"""`stowplan replay`, on a small file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from stowplan.cli.replay import replay

app = typer.Typer()
app.command()(replay)


@pytest.fixture
def usage_file(tmp_path: Path) -> Path:
    rows = [f"web,main,{hour * 3600},{0.1 + 0.01 * (hour % 24)},{10**9 + hour}" for hour in range(24 * 6)]
    path = tmp_path / "usage.csv"
    path.write_text("\n".join(["workload,container,t_s,cpu_cores,memory_bytes", *rows]) + "\n", encoding="utf-8")
    return path


def test_json_is_one_object_on_standard_output(usage_file: Path) -> None:
    result = CliRunner().invoke(app, ["--usage", str(usage_file), "--strategy", "vpa,stowplan/standard", "-o", "json"])
    assert result.exit_code == 0
    parsed = json.loads(result.stdout)
    assert list(parsed["strategies"]) == ["vpa", "stowplan/standard"]
    assert parsed["learn_days"] == 3  # half of six days
    assert "frontier" not in parsed


def test_sweep_adds_the_frontier_and_plot_writes_a_page(usage_file: Path, tmp_path: Path) -> None:
    page = tmp_path / "plot.html"
    arguments = ["--usage", str(usage_file), "--strategy", "krr", "-o", "json", "--plot", str(page)]
    result = CliRunner().invoke(app, arguments)
    assert set(json.loads(result.stdout)["frontier"]["stowplan"]) == {"cpu", "memory"}
    assert page.exists()


def test_the_table_names_every_strategy(usage_file: Path) -> None:
    result = CliRunner().invoke(app, ["--usage", str(usage_file), "--strategy", "vpa,stowplan/dev"])
    assert result.exit_code == 0
    assert "stowplan/dev" in result.stdout
    assert "3 judged days after 3 learned" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "nobody"], "strategy 'nobody' is not known"),
        (["--learn-days", "6"], "learn days: 6 of 6"),
    ],
)
def test_wrong_options_exit_with_2(usage_file: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["--usage", str(usage_file), *arguments])
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_wrong_row_exits_with_2_and_its_line(usage_file: Path) -> None:
    usage_file.write_text(usage_file.read_text(encoding="utf-8") + "web,main,x,1,1\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["--usage", str(usage_file)])
    assert result.exit_code == 2
    assert ":146: t_s is 'x'" in result.stderr
