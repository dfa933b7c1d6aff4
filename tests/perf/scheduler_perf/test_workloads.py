"""The official workloads are taken as they are, but for the scheduler's configuration and the name of the pods' scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from perf.scheduler_perf.workloads import PLUGIN, Workload, configuration, scheduler_document
from stowplan.model.keys import SCHEDULER_NAME

OFFICIAL = """
- name: SchedulingBasic
  defaultPodTemplatePath: ../templates/pod.yaml
  workloadTemplate:
  - opcode: createNodes
    countParam: $initNodes
    nodeTemplatePath: ../templates/node.yaml
  - opcode: churn
    templatePaths: [../templates/pod.yaml]
  workloads:
  - {name: 500Nodes, params: {initNodes: 500}, threshold: 270}
  - {name: 5000Nodes, params: {initNodes: 5000}}
- name: Unnamed
  workloadTemplate:
  - {opcode: createPods, countParam: $initPods}
  - {opcode: createPods, countParam: $measurePods, podTemplatePath: ../templates/pod.yaml}
  workloads: [{name: 500Nodes}]
- name: Other
"""


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A folder as in Kubernetes' module, in small."""
    folder = tmp_path / "official"
    for name, text in {
        "misc/performance-config.yaml": OFFICIAL,
        "templates/pod.yaml": "kind: Pod\nspec: {containers: []}\n",
        "templates/pod-default.yaml": "kind: Pod\nspec: {containers: [{name: pause}]}\n",
        "templates/node.yaml": "kind: Node\nmetadata: {name: 'node-{{.Index}}'}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_one_workload_with_our_configuration_and_templates(official: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    workload = Workload("misc", "SchedulingBasic", "500Nodes")
    (case,) = configuration(official, workload, scratch, tmp_path / "scheduler.yaml")
    assert case["schedulerConfigPath"] == str(tmp_path / "scheduler.yaml")
    # The threshold belongs to other machines; the label is what the test's filter selects.
    assert case["workloads"] == [{"name": "500Nodes", "params": {"initNodes": 500}, "labels": ["performance"]}]
    assert [op["opcode"] for op in case["workloadTemplate"]] == ["createNodes", "churn"]
    paths = [
        case["defaultPodTemplatePath"],
        case["workloadTemplate"][0]["nodeTemplatePath"],
        *case["workloadTemplate"][1]["templatePaths"],
    ]
    assert [Path(path).parent for path in paths] == [scratch] * 3
    assert yaml.safe_load(Path(paths[0]).read_text(encoding="utf-8"))["spec"]["schedulerName"] == SCHEDULER_NAME
    node = Path(paths[1]).read_text(encoding="utf-8")
    assert node == (official / "templates/node.yaml").read_text(encoding="utf-8")  # not a pod: untouched


def test_pods_without_a_template_get_our_schedulers_name_too(official: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (case,) = configuration(official, Workload("misc", "Unnamed", "500Nodes"), scratch, tmp_path / "scheduler.yaml")
    pod = yaml.safe_load(Path(case["defaultPodTemplatePath"]).read_text(encoding="utf-8"))
    assert pod["spec"] == {"containers": [{"name": "pause"}], "schedulerName": SCHEDULER_NAME}
    assert case["workloadTemplate"][1]["podTemplatePath"] == str(scratch / "pod.yaml")


@pytest.mark.parametrize(
    "workload", [Workload("misc", "SchedulingBasic", "7Nodes"), Workload("misc", "None", "500Nodes")]
)
def test_a_workload_that_this_version_does_not_have_is_named(
    official: Path, tmp_path: Path, workload: Workload
) -> None:
    with pytest.raises(ValueError, match=f"{workload} is not in"):
        configuration(official, workload, tmp_path, tmp_path)


def test_both_arms_differ_in_the_extender_alone() -> None:
    stock = scheduler_document("off", 0, "http://127.0.0.1:1")
    ours = scheduler_document("narrow", 0, "http://127.0.0.1:1")
    assert stock["extenders"] == []
    assert ours["extenders"][0]["filterVerb"] == "filter"
    assert {**ours, "extenders": []} == stock
    assert stock["profiles"][0]["plugins"]["postBind"]["enabled"] == [{"name": PLUGIN}]
