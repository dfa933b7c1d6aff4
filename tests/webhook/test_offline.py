"""`stowplan mutate`: its contract, its inputs, its errors."""

import json
import time
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml
from typer.testing import CliRunner

from stowplan.cli.main import app
from stowplan.model.profile_codec import profile_manifest
from stowplan.model.reasons import Outcome, Reason
from tests.support.learned import profile, recommended
from tests.support.pods import NAMESPACE, container
from webhook.documents import read_text
from webhook.offline import PolicyFileError, Result, mutate_documents, read_profiles, read_state

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


def learned_profile(**changes: Any) -> dict[str, Any]:
    """A profile as the recommender writes it, renewed now."""
    made = profile(recommended(), updated_s=int(time.time()), **changes)
    return profile_manifest(made)


@pytest.mark.parametrize("form", ["yaml", "json lines"])
def test_profiles_size_pods_as_in_the_cluster(tmp_path: Path, form: str) -> None:
    written = [learned_profile(name="web"), learned_profile(name="other")]
    file = tmp_path / "profiles"
    as_yaml, as_lines = yaml.safe_dump_all(written), "\n".join(json.dumps(p) for p in written)
    file.write_text(as_yaml if form == "yaml" else as_lines, encoding="utf-8")
    deployment = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": _template()}}

    code, out, _ = run(
        "-f", "-", "--profiles", str(file), "--namespace", NAMESPACE, "-o", "json", stdin=json.dumps(deployment)
    )

    answer = json.loads(out)
    assert (code, answer["reason"]) == (0, "UsageSized")
    # 125 % of 320Mi are 400Mi
    expected = {"requests": {"cpu": "150m", "memory": "320Mi"}, "limits": {"memory": "400Mi"}}
    assert answer["pod"]["spec"]["containers"][0]["resources"] == expected
    explained = run(
        "-f", "-", "--profiles", str(file), "--namespace", NAMESPACE, "-o", "explain", stdin=json.dumps(deployment)
    )
    assert "learned from usage of 14 days" in explained[1]


def test_a_profile_without_a_namespace_is_of_the_namespace_asked_for(tmp_path: Path) -> None:
    bare = learned_profile(name="web")
    del bare["metadata"]["namespace"]

    assert list(read_profiles([write(tmp_path / "p.yaml", bare)], namespace="shop")) == [("shop", "Deployment", "web")]
    assert list(read_profiles([write(tmp_path / "p.yaml", bare)])) == [("default", "Deployment", "web")]


def test_checkpoint_objects_are_no_profiles(tmp_path: Path) -> None:
    notes = learned_profile(name="web")
    notes["metadata"]["labels"] = {"stowplan.dev/checkpoint": "open"}

    assert read_profiles([write(tmp_path / "p.yaml", notes)]) == {}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"kind": "Pod"}, "kind: write WorkloadProfile"),
        ({"spec": {"targetRef": {"kind": "Deployment"}}}, "spec.targetRef.name"),
        ({"spec": 3}, "spec"),
        (
            {
                "spec": {"targetRef": {"kind": "Deployment", "name": "web"}},
                "status": {
                    "recommendations": [{"class": "dev", "containers": [{"name": "a", "target": {"cpu": "x"}}]}]
                },
            },
            "status.recommendations[0].containers[0].target.cpu",
        ),
    ],
)
def test_a_wrong_profile_names_file_document_and_field(tmp_path: Path, document: dict[str, Any], told: str) -> None:
    file = write(tmp_path / "profiles.yaml", learned_profile(), {"kind": "WorkloadProfile", **document})

    with pytest.raises(PolicyFileError, match=r"profiles.yaml document 2: ") as caught:
        read_profiles([file])
    assert told in str(caught.value)
    assert run("-f", "-", "--profiles", file, stdin=json.dumps(POD))[0] == 2


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
