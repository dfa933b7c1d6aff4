"""A small demo, end to end, on real control planes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.environment import Variant
from demo.main import DemoSettings, run_demo
from demo.result import DemoResult

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PODS = 20
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def result(output: Path) -> DemoResult:
    """Both runs of the contract with the first pods of the sample, six hours in eight seconds."""
    settings = DemoSettings(output, (Variant.STOCK, Variant.STOWPLAN), pods=PODS, replay_seconds=8.0)
    return run_demo(settings)


def test_every_pod_is_placed_in_both_runs(result: DemoResult) -> None:
    assert list(result.runs) == ["stock", "stowplan"]
    for run in result.runs.values():
        assert 0 < run.pods <= PODS
        assert (run.placed, run.unplaced) == (run.pods, 0)
        assert 0 < run.lower_bound_per_hour <= run.cost_per_hour <= result.cluster["cost_per_hour"]
        assert 0 < run.nodes_used <= result.cluster["nodes"]
        assert run.pods_per_second > 0


def test_stowplan_s_services_have_seen_every_pod(result: DemoResult) -> None:
    ours, stock = result.runs["stowplan"], result.runs["stock"]

    assert ours.scheduled_by == {"stowplan-scheduler": ours.pods}
    assert stock.scheduled_by == {"default-scheduler": stock.pods}
    assert ours.webhook_ms is not None
    assert ours.extender_ms is not None
    assert stock.webhook_ms is stock.extender_ms is None
    assert sum(ours.decisions.values()) >= ours.pods


def test_one_pod_tells_its_story(result: DemoResult) -> None:
    story = result.runs["stowplan"].story

    assert story is not None
    assert story.workload_class in story.size
    assert story.pod in story.placement


def test_result_and_report_are_left_behind(result: DemoResult, output: Path) -> None:
    document = json.loads((output / "result.json").read_text(encoding="utf-8"))

    assert document["runs"]["stowplan"]["placed"] == result.runs["stowplan"].placed
    assert "cheaper" in (output / "report.html").read_text(encoding="utf-8")
    assert sorted(entry.name for entry in output.iterdir()) == ["report.html", "result.json"]


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, started with its temporary files below a folder of the test."""
    command = [sys.executable, "-m", "stowplan.cli.main", "demo", "--runs", "stock", "--pods", str(PODS)]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--output", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        yield process
        process.kill()


def test_an_interrupted_demo_leaves_nothing_behind(interrupted: subprocess.Popen[str], tmp_path: Path) -> None:
    assert interrupted.stderr is not None
    for line in interrupted.stderr:
        if "Run stock" in line:
            break
    interrupted.send_signal(signal.SIGINT)

    said = interrupted.stderr.read()

    assert interrupted.wait(timeout=180) == 130
    assert "interrupted" in said
    assert not list(tmp_path.glob("stowplan-demo-*"))
    assert not (tmp_path / "out").exists()
