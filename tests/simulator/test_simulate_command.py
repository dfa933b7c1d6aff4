"""``stowplan simulate``: the contract of its JSON, the table and the exit codes."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simulator.policies import DEFAULT_POLICIES
from stowplan.cli.simulate import simulate

app = typer.Typer()
app.command()(simulate)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    nodes, pods = tmp_path / "nodes.csv", tmp_path / "pods.csv"
    nodes.write_text("name,cpu_millicores,memory_mib,price_per_hour\nn1,2000,4096,0.1\nn2,4000,8192,0.3\n")
    pods.write_text("name,cpu_millicores,memory_mib\na,1500,1024\nb,500,1024\nc,9000,1\n")
    return ["--nodes", str(nodes), "--pods", str(pods)]


def test_json_has_every_policy_and_the_bound(files: list[str]) -> None:
    result = CliRunner().invoke(app, [*files, "--seed", "7", "-o", "json"])

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["seed"] == 7
    # 2000 millicores at 0.1 / 2000 a millicore; the pod of 9000 fits nowhere and is not part of the bound
    assert found["lower_bound"] == {"nodes_used": 1, "cost_per_hour": 0.1, "node_hours_cost": 0.1}
    assert list(found["policies"]) == list(DEFAULT_POLICIES)
    ours = found["policies"]["stowplan"]
    assert (ours["placed"], ours["unplaced"], ours["nodes_used"], ours["cost_per_hour"]) == (2, 1, 1, 0.1)
    assert ours["allocated"] == {
        "cpu": pytest.approx(2 / 6, abs=1e-6),
        "memory": pytest.approx(2 / 12, abs=1e-6),
        "gpu": 0.0,
    }


def test_the_table_shows_the_policies_asked_for(files: list[str]) -> None:
    result = CliRunner().invoke(app, [*files, "--policy", "random, fgd"], env={"COLUMNS": "140"})

    assert result.exit_code == 0
    assert "random" in result.stdout
    assert "fgd" in result.stdout
    assert "lower bound" in result.stdout
    assert "most-allocated" not in result.stdout


def test_wrong_input_is_exit_code_2_with_the_place(files: list[str]) -> None:
    Path(files[3]).write_text("name,cpu_millicores,memory_mib\na,much,1\n")

    result = CliRunner().invoke(app, files)

    assert result.exit_code == 2
    assert "pods.csv:2: column 'cpu_millicores' is 'much'" in result.stderr


def test_an_unknown_policy_or_a_missing_file_is_exit_code_2(files: list[str]) -> None:
    unknown = CliRunner().invoke(app, [*files, "--policy", "best"])
    missing = CliRunner().invoke(app, [*files[:3], "nowhere.csv"])

    assert (unknown.exit_code, missing.exit_code) == (2, 2)
    assert "there is no such policy" in unknown.stderr
    assert "nowhere.csv" in missing.stderr
