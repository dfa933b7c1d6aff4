"""Which official workloads are run: as published, but for the scheduler's configuration and the name of the pods' scheduler."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from extender.scheduler_config import Channel, scheduler_configuration
from stowplan.model.keys import SCHEDULER_NAME

PLUGIN: Final = "Whereabouts"
"""Of golang/bench_test.go: tells where the API server is. Both arms have it."""


_BASE_POD: Final = "../templates/pod-default.yaml"
"""The same pod as the one that the test makes where no template is named, which nobody could give our scheduler's name."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One official workload."""

    topic: str
    """Its folder."""
    case: str
    name: str

    def __str__(self) -> str:
        return f"{self.case}/{self.name}"


SHORT: Final = (Workload("misc", "SchedulingBasic", "500Nodes"),)
BASIC: Final = (*SHORT, Workload("misc", "SchedulingBasic", "5000Nodes"))
FURTHER: Final = (
    Workload("misc", "SchedulingWithMixedChurn", "1000Nodes"),
    Workload("misc", "Unschedulable", "500Nodes/10Init/1kPods"),
    Workload("affinity", "SchedulingNodeAffinity", "500Nodes"),
    # with 500 nodes, 400 pods are over before a second is sampled
    Workload("affinity", "SchedulingPodAntiAffinity", "5000Nodes"),
    Workload("topology_spreading", "TopologySpreading", "500Nodes"),
)


def configuration(official: Path, workload: Workload, scratch: Path, scheduler_config: Path) -> list[dict[str, Any]]:
    """A performance-config with this one workload. Its templates are copied to `scratch`, pods with our scheduler's name.

    Args:
        official: the folder of the official workloads.
        workload: which.
        scratch: for the templates.
        scheduler_config: the KubeSchedulerConfiguration to run with.

    Raises:
        ValueError: there is no such workload in this version of Kubernetes.
    """
    folder = official / workload.topic
    cases = yaml.safe_load((folder / "performance-config.yaml").read_text(encoding="utf-8"))
    case = next((case for case in cases if case["name"] == workload.case), None)
    wanted = [one for one in case["workloads"] if one["name"] == workload.name] if case else []
    if not case or not wanted:
        raise ValueError(f"workload {workload} is not in {folder}; choose one that its performance-config.yaml lists")
    # Thresholds of other machines would only fail the run; labels have to be what the default filter selects.
    chosen = {**{key: value for key, value in wanted[0].items() if key != "threshold"}, "labels": ["performance"]}
    made = {**copy.deepcopy(case), "workloads": [chosen], "schedulerConfigPath": str(scheduler_config)}
    if any(op["opcode"] == "createPods" and "podTemplatePath" not in op for op in made["workloadTemplate"]):
        made.setdefault("defaultPodTemplatePath", _BASE_POD)
    return [_with_templates(made, folder, scratch)]


def _with_templates(value: Any, folder: Path, scratch: Path) -> Any:
    """The same with every path of a template replaced by that of its copy."""
    if isinstance(value, Mapping):
        return {
            key: _copied(folder / child, scratch)
            if key.lower().endswith("templatepath") and isinstance(child, str)
            else [_copied(folder / path, scratch) for path in child]
            if key.lower().endswith("templatepaths")
            else _with_templates(child, folder, scratch)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [_with_templates(child, folder, scratch) for child in value]
    return value


def _copied(template: Path, scratch: Path) -> str:
    """A copy of a template; a pod gets our scheduler's name."""
    copied = scratch / template.name
    text = template.read_text(encoding="utf-8")
    document = yaml.safe_load(text) if "{{" not in text else None
    if isinstance(document, dict) and document.get("kind") == "Pod":
        document["spec"]["schedulerName"] = SCHEDULER_NAME
        text = yaml.safe_dump(document, sort_keys=False)
    copied.write_text(text, encoding="utf-8")
    return str(copied)


def scheduler_document(channel: Channel, percentage: int, extender_url: str) -> dict[str, Any]:
    """Our KubeSchedulerConfiguration (without an extender for the channel `off`) with the plugin that tells where the API server is."""
    document = scheduler_configuration(
        extender_url=extender_url, channel=channel, percentage_of_nodes_to_score=percentage, leader_elect=False
    )
    for profile in document["profiles"]:
        profile["plugins"] = {"postBind": {"enabled": [{"name": PLUGIN}]}}
    return document
