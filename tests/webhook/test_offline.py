"""`stowplan mutate`: its contract, its inputs, its errors."""

import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml
from typer.testing import CliRunner

from stowplan.cli.main import app
from stowplan.model.reasons import Outcome, Reason
from tests.support.pods import container
from webhook.documents import read_text
from webhook.offline import PolicyFileError, Result, check_profiles, mutate_documents, read_state

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container()]}}
KEYS = {"pod", "patch", "outcome", "reason", "why", "warnings"}
COLD = {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2560Mi"}}


def mutate(text: str, *cluster: str, namespace: str | None = None) -> list[Result]:
    return list(mutate_documents(read_text(text, "in.yaml"), read_state(cluster), namespace))


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["mutate", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def write(path: Path, *objects: Any) -> str:
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        (yaml.safe_dump_all([POD, POD, POD]), 3),
        (json.dumps(POD), 1),
        (json.dumps(POD, indent=2), 1),
        (f"{json.dumps(POD)}\n{json.dumps(POD)}\n", 2),
        (f"{json.dumps(POD, indent=1)}\n{json.dumps(POD, indent=1)}", 2),
        (json.dumps({"apiVersion": "v1", "kind": "List", "items": [POD, POD]}), 2),
        (json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [POD]}), 1),
        ("{kind: Pod, metadata: {name: web}, spec: {containers: [{name: app, image: x}]}}", 1),  # YAML flow style
        (f"---\n---\n{yaml.safe_dump(POD)}---\n# only a comment\n", 1),
    ],
)
def test_every_form_of_input(text: str, outcomes: int) -> None:
    results = mutate(text)

    assert [r.outcome for r in results] == [Outcome.APPLIED] * outcomes
    assert all(r.pod["spec"]["containers"][0]["resources"] == COLD for r in results)


def _template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()], **spec}}


@pytest.mark.parametrize(
    ("kind", "spec", "skew", "scheduler"),
    [
        ("Deployment", {"replicas": 9, "template": _template()}, 3, True),
        ("ReplicaSet", {"replicas": 9, "template": _template()}, 3, True),
        ("StatefulSet", {"replicas": 9, "template": _template()}, 3, True),
        ("Deployment", {"template": _template()}, None, True),  # one replica by default: nothing to spread over hosts
        ("DaemonSet", {"template": _template()}, None, False),
        ("Job", {"parallelism": 12, "completions": 6, "template": _template()}, 2, True),
        ("CronJob", {"jobTemplate": {"spec": {"parallelism": 6, "template": _template()}}}, 2, True),
    ],
)
def test_workloads_by_their_template(kind: str, spec: dict[str, Any], skew: int | None, *, scheduler: bool) -> None:
    (result,) = mutate(json.dumps({"kind": kind, "metadata": {"name": "web"}, "spec": spec}))

    assert (result.outcome, result.pod["kind"], result.pod["metadata"]["generateName"]) == (
        Outcome.APPLIED,
        "Pod",
        "web-",
    )
    constraints = result.pod["spec"].get("topologySpreadConstraints", [])
    assert {c["topologyKey"]: c["maxSkew"] for c in constraints}.get("kubernetes.io/hostname") == skew
    assert (result.pod["spec"].get("schedulerName") == "stowplan-scheduler") is scheduler


def test_the_patch_turns_the_input_into_the_pod() -> None:
    own = {**POD, "spec": {"containers": [container(limits={"cpu": "0.5", "nvidia.com/gpu": 1})]}}

    (result,) = mutate(json.dumps(own))

    assert jsonpatch.apply_patch(own, result.patch) == result.pod
    # The API server would have copied the limit to the request.
    assert result.pod["spec"]["containers"][0]["resources"]["requests"] == {
        "cpu": "0.5",
        "nvidia.com/gpu": 1,
        "memory": "2Gi",
    }


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        (
            "kind: Pod\nspec: {containers: [{name: a, resources: {limits: {cpu: 1x}}}]}",
            "InvalidPod",
            "spec.containers[0].resources.limits.cpu",
        ),
        ("kind: Pod\nspec: {}", "InvalidPod", "spec.containers: is empty"),
        (
            "kind: Pod\nmetadata: {labels: {on: yes}}\nspec: {containers: [{name: a}]}",
            "InvalidPod",
            "metadata.labels['true']",
        ),
        ("kind: Deployment\nmetadata: {name: a}", "InvalidPod", "spec"),
        ("just text", "Unreadable", "kind: is missing"),
        ("kind: Pod\nmetadata: [", "Unreadable", "is no YAML"),
        ("kind: PodList\nitems: 3", "Unreadable", "items: is no list"),
        ('{"kind": "Pod"', "Unreadable", "in.yaml document 1"),
        ("kind: Pod\nspec: !!set {a}", "Unreadable", "type set"),
    ],
)
def test_a_bad_document_names_its_place_and_spoils_no_other(text: str, reason: str, told: str) -> None:
    bad, good = mutate(f"{text}\n---\n{yaml.safe_dump(POD)}")

    assert (bad.outcome, bad.bad_input, bad.patch) == (Outcome.ERROR, True, [])
    assert str(bad.reason) == reason
    assert bad.why.startswith("in.yaml document 1")
    assert told in bad.why
    assert good.outcome is Outcome.APPLIED


def test_aliases_cannot_blow_up() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )

    (result,) = mutate(bomb)

    assert "write the aliases out" in result.why


def test_what_makes_no_pods_is_skipped() -> None:
    (result,) = mutate("kind: Service\nmetadata: {name: web}")

    assert (result.outcome, result.reason, result.pod, result.bad_input) == (
        Outcome.SKIPPED,
        Reason.NOT_A_POD_CREATE,
        None,
        False,
    )


def test_the_clusters_objects_take_part(tmp_path: Path) -> None:
    cluster = write(
        tmp_path / "cluster.yaml",
        {
            "kind": "WorkloadPolicy",
            "apiVersion": "stowplan.dev/v1alpha1",
            "metadata": {"name": "p", "namespace": "shop"},
            "spec": {"defaultClass": "batch"},
        },
        {
            "kind": "LimitRange",
            "metadata": {"name": "r", "namespace": "shop"},
            "spec": {"limits": [{"type": "Container", "max": {"memory": "512Mi"}}]},
        },
        {"kind": "Node", "metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "a"}}},
        {"kind": "PriorityClass", "metadata": {"name": "stowplan-batch"}, "value": 7},
    )

    (inside,) = mutate(json.dumps(POD), cluster, namespace="shop")
    (outside,) = mutate(json.dumps(POD), cluster)

    assert inside.pod["spec"]["priority"] == 7
    assert inside.pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "512Mi"
    assert inside.pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"].startswith("LimitRanger plugin set: ")
    assert outside.pod["spec"]["priorityClassName"] == "stowplan-standard"


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "Pod"},
        {
            "kind": "WorkloadClass",
            "apiVersion": "stowplan.dev/v1alpha1",
            "metadata": {"name": "x"},
            "spec": {"tier": "high"},
        },
        {
            "kind": "LimitRange",
            "metadata": {"name": "r"},
            "spec": {"limits": [{"type": "Container", "max": {"cpu": "x"}}]},
        },
        {"kind": "PriorityClass", "metadata": {"name": "p"}},
    ],
)
def test_a_wrong_cluster_file_is_a_usage_error(tmp_path: Path, document: dict[str, Any]) -> None:
    file = write(tmp_path / "cluster.yaml", document)

    with pytest.raises(PolicyFileError, match=r"cluster.yaml document 1: "):
        read_state([file])
    assert run("-f", "-", "--classes", file, stdin=json.dumps(POD))[0] == 2


def test_profiles_are_checked_and_said_to_change_nothing(tmp_path: Path) -> None:
    good = write(
        tmp_path / "good.yaml",
        {"kind": "WorkloadProfile", "spec": {"targetRef": {"kind": "Deployment", "name": "web"}}},
    )
    bad = write(tmp_path / "bad.yaml", {"kind": "WorkloadProfile", "spec": {"targetRef": {"kind": "Deployment"}}})

    code, out, err = run("-f", "-", "--profiles", good, "-o", "json", stdin=json.dumps(POD))

    assert code == 0
    assert "come with the recommender" in err
    assert json.loads(out)["reason"] == "ColdStart"
    with pytest.raises(PolicyFileError, match=r"spec.targetRef.name: is missing"):
        check_profiles([bad])


def test_json_output_is_one_object_a_line_with_exactly_the_contracts_keys(tmp_path: Path) -> None:
    file = write(tmp_path / "pods.yaml", POD, {"kind": "Service"}, {"kind": "Pod", "spec": {"containers": 1}})

    code, out, _ = run("-f", file, "-f", str(tmp_path / "missing.yaml"), "-o", "json")

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert all(set(line) == KEYS for line in lines)
    assert [line["outcome"] for line in lines] == ["applied", "skipped", "error", "error"]
    assert "missing.yaml" in lines[3]["why"]


def test_other_outputs(tmp_path: Path) -> None:
    file = write(tmp_path / "pod.yaml", {**POD, "metadata": {"name": "web", "labels": {"stowplan.dev/size": "huge"}}})

    _, as_yaml, warned = run("-f", file)
    _, as_patch, _ = run(file, "-o", "patch")
    _, explained, _ = run("-f", file, "-o", "explain")

    assert yaml.safe_load(as_yaml)["spec"]["containers"][0]["resources"] == COLD
    assert "Warning: stowplan.dev/size=huge: ignored" in warned
    assert jsonpatch.apply_patch(
        yaml.safe_load(Path(file).read_text(encoding="utf-8")), json.loads(as_patch)
    ) == yaml.safe_load(as_yaml)
    assert explained.startswith("Pod web: applied (ColdStart)\n  standard: app gets 500m CPU and 2Gi memory")


def test_usage_errors() -> None:
    assert run()[0] == 2
    assert run("-f", "-", "--classes", "-")[0] == 2
    assert run("-f", "-", "-o", "xml")[0] == 2
