"""`stowplan recommend` on files: what is read, what is refused, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from stowplan.cli.recommend import recommend
from stowplan.model.profile_codec import profile_manifest
from tests.support.profiles import GIB, container, profile, running_pod

app = typer.Typer()
app.command()(recommend)


def written(path: Path, *objects: Any) -> str:
    file = path / "objects.json"
    file.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    return str(file)


def run(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=stdin, env={"COLUMNS": "120"})


def names(result: Any) -> list[str]:
    return [workload["name"] for workload in json.loads(result.stdout)["workloads"]]


def test_profiles_are_held_against_the_pods_in_the_same_files(tmp_path: Path) -> None:
    requests = {"cpu": "4", "memory": "8Gi"}
    file = written(
        tmp_path,
        profile_manifest(profile()),
        running_pod("one", ("ReplicaSet", "checkout-abc"), requests),
        running_pod("two", ("ReplicaSet", "checkout-abc"), requests),
        running_pod("old", ("ReplicaSet", "checkout-abc"), {"cpu": "9"}, phase="Succeeded"),
        running_pod("other", ("ReplicaSet", "checkout-abc"), {"cpu": "9"}, namespace="elsewhere"),
    )
    result = run("-f", file, "-o", "json")
    assert result.exit_code == 0
    (workload,) = json.loads(result.stdout)["workloads"]
    assert (workload["replicas"], workload["current"]) == (2, {"cpu_millicores": 4000, "memory_bytes": 8 * GIB})
    # catalog: 37,000 micro-dollars a core and 2,750 a GiB an hour; 2 x (3.25 cores + 6 GiB) x 730 h
    assert workload["saving_micro_usd_per_month"] == round(2 * (3.25 * 37_000 + 6 * 2_750)) * 730


def test_a_template_stands_for_a_workload_without_pods(tmp_path: Path) -> None:
    template = {"spec": {"containers": [{"name": "app", "image": "x", "resources": {"requests": {"cpu": "2"}}}]}}
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"replicas": 5, "template": template},
    }
    result = run("-f", written(tmp_path, profile_manifest(profile()), deployment), "-o", "json")
    (workload,) = json.loads(result.stdout)["workloads"]
    assert (workload["replicas"], workload["current"]["cpu_millicores"]) == (5, 2000)


def test_rows_are_filtered_and_sorted(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        profile_manifest(profile("small", container(3900, 8 * GIB))),
        profile_manifest(profile("large")),
        profile_manifest(profile("dev", wclass="dev")),
        profile_manifest(profile("far", namespace="elsewhere")),
        *(running_pod(n, ("ReplicaSet", f"{n}-abc"), {"cpu": "4", "memory": "8Gi"}) for n in ("small", "large")),
    )
    assert names(run("-f", file, "-n", "shop", "-o", "json")) == ["large", "small", "dev"]
    assert names(run("-f", file, "-n", "shop", "-o", "json", "--sort", "name")) == ["dev", "large", "small"]
    assert names(run("-f", file, "-o", "json", "--class", "dev")) == ["dev"]
    assert len(names(run("-f", file, "-A", "-o", "json"))) == 4


def test_the_recommenders_own_memory_is_no_workload(tmp_path: Path) -> None:
    memory = profile_manifest(profile())
    memory["metadata"]["labels"] = {"stowplan.dev/checkpoint": "3"}
    result = run("-f", written(tmp_path, memory))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "Nothing has been learned" in result.stderr


def test_the_table_and_its_prices(tmp_path: Path) -> None:
    file = written(tmp_path, profile_manifest(profile("x", container(750, GIB, saving=1_000_000), replicas=1)))
    result = run("-f", file, "--prices", "opencost")
    assert result.exit_code == 0
    assert "shop/deploy/x" in result.stdout
    assert "730.00" in result.stdout  # a dollar an hour, as the profile states it


def test_bad_objects_are_told_and_the_good_ones_shown(tmp_path: Path) -> None:
    bad = profile_manifest(profile("bad"))
    bad["status"]["replicas"] = "many"
    pod = running_pod("p", ("ReplicaSet", "checkout-abc"), {"cpu": "four"})
    result = run("-f", written(tmp_path, bad, profile_manifest(profile()), pod, {"kind": "Service"}, 7), "-o", "json")
    assert result.exit_code == 1
    assert names(result) == ["checkout"]
    errors = result.stderr.splitlines()
    assert json.loads(result.stdout)["problems"] == [line.removeprefix("Error: ") for line in errors]
    for part in ("status.replicas", "'four'", "kind 'Service' is not known here", "is no object"):
        assert any(part in line for line in errors), part


def test_standard_input_is_a_file() -> None:
    assert names(run("-f", "-", "-o", "json", stdin=json.dumps(profile_manifest(profile())))) == ["checkout"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["-A", "-n", "shop"], "leave out -n"), (["-f", "-", "-f", "-"], "once only"), (["--sort", "luck"], "luck")],
)
def test_wrong_usage_exits_with_2(arguments: list[str], part: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert part in result.stderr


def test_without_a_cluster_the_error_says_what_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = run("-A")
    assert result.exit_code == 2
    assert "kubeconfig" in result.stderr
