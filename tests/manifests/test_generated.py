"""The generated manifests say what the code says."""

from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from stowplan.cli.manifests import generated_files, manifests, stale_files
from stowplan.model.builtin_classes import BUILTIN_CLASSES, PRIORITY_CLASSES
from stowplan.model.class_codec import parse_workload_class
from tests.support.manifest_files import ROOT, of_kind

GENERATED = ROOT / "base" / "generated"


@pytest.fixture
def app() -> typer.Typer:
    application = typer.Typer()
    application.command()(manifests)
    return application


def test_the_committed_files_are_up_to_date() -> None:
    assert stale_files(GENERATED) == [], "run `stowplan manifests`"


def test_nothing_else_lies_among_the_generated_files() -> None:
    assert {path.name for path in GENERATED.iterdir()} == set(generated_files())


def test_the_shipped_classes_are_the_built_in_ones() -> None:
    shipped = of_kind("WorkloadClass")

    assert {name: parse_workload_class(m, strict=True) for name, m in shipped.items()} == BUILTIN_CLASSES


def test_every_class_names_a_priority_class_that_is_shipped_with_all_three_values() -> None:
    shipped = of_kind("PriorityClass")

    for priority in PRIORITY_CLASSES:
        found = shipped[priority.name]
        assert (found["value"], found["preemptionPolicy"]) == (priority.value, priority.preemption_policy)
        assert found["globalDefault"] is False
    assert {c.scheduling.priority_class_name for c in BUILTIN_CLASSES.values()} == set(shipped)


def test_missing_and_stale_files_are_written_once(app: typer.Typer, tmp_path: Path) -> None:
    target = tmp_path / "new"

    first = CliRunner().invoke(app, ["--directory", str(target)])
    (target / "scheduler.yaml").write_text("edited by hand", encoding="utf-8")
    second = CliRunner().invoke(app, ["--directory", str(target)])
    third = CliRunner().invoke(app, ["--directory", str(target)])

    assert first.output.count("wrote") == 3
    assert second.output == f"wrote {target / 'scheduler.yaml'}\n"
    assert third.output == f"{target} is up to date\n"
    assert (
        yaml.safe_load((target / "scheduler.yaml").read_text(encoding="utf-8"))["kind"] == "KubeSchedulerConfiguration"
    )


def test_the_check_writes_nothing_and_fails_on_a_stale_file(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--directory", str(tmp_path), "--check"])

    assert result.exit_code == 1
    assert "out of date" in result.output
    assert list(tmp_path.iterdir()) == []
