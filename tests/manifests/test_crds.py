"""The CRDs and the codec agree: defaults, words, bounds; and people find their way by columns and short names."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import CAPACITY_TYPES, LIFECYCLES, parse_workload_class, workload_class_manifest
from stowplan.model.workload_class import Cost, Explicit, Latency, RolloutMode, Shape, Size
from tests.support.manifest_files import Manifest, of_kind

CRDS = of_kind("CustomResourceDefinition", "crds")
SHORT_NAMES = {"workloadclasses": "wc", "workloadpolicies": "wpol", "workloadprofiles": "wprof"}


def schema_of(crd: str) -> Manifest:
    (version,) = CRDS[f"{crd}.stowplan.dev"]["spec"]["versions"]
    schema: Manifest = version["schema"]["openAPIV3Schema"]
    return schema


def strict(schema: Manifest) -> Manifest:
    """A JSON schema that refuses unknown fields; metadata is the API server's."""
    if "properties" not in schema:
        return {
            key: strict(value) if key in ("items", "additionalProperties") else value for key, value in schema.items()
        }
    properties = {name: strict(part) for name, part in schema["properties"].items() if name != "metadata"}
    return {**schema, "properties": {**properties, "metadata": {}}, "additionalProperties": False}


def defaulted(schema: Manifest, value: Any) -> Any:
    """The value with the schema's defaults, as the API server fills them in."""
    if isinstance(value, dict) and "properties" in schema:
        full = dict(value)
        for name, part in schema["properties"].items():
            if name not in full and "default" in part:
                full[name] = part["default"]
            if name in full:
                full[name] = defaulted(part, full[name])
        return full
    return value


def field(schema: Manifest, path: str) -> Manifest:
    for name in path.split("."):
        schema = schema["items"] if name == "[]" else schema["properties"][name]
    return schema


@pytest.mark.parametrize("name", BUILTIN_CLASSES)
def test_the_built_in_classes_fit_the_schema(name: str) -> None:
    Draft202012Validator(strict(schema_of("workloadclasses"))).validate(workload_class_manifest(BUILTIN_CLASSES[name]))


def test_a_class_that_says_nothing_gets_the_same_defaults_from_the_schema_and_the_codec() -> None:
    minimal = {"metadata": {"name": "gold"}, "spec": {}}

    full = defaulted(schema_of("workloadclasses"), minimal)

    assert parse_workload_class(full, strict=True) == parse_workload_class(minimal)
    assert {**full["spec"], "description": None} == {
        **workload_class_manifest(parse_workload_class(minimal))["spec"],
        "description": None,
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("spec.lifecycle", LIFECYCLES),
        ("spec.latency", Latency),
        ("spec.cost", Cost),
        ("spec.explicit", Explicit),
        ("spec.rollout.mode", RolloutMode),
        ("spec.sizing.coldStart.shape", Shape),
        ("spec.sizing.coldStart.size", [size for size in Size if size is not Size.AUTO]),
        ("spec.scheduling.capacity.[].type", CAPACITY_TYPES),
    ],
)
def test_the_schema_knows_the_words_of_the_vocabulary(path: str, words: Any) -> None:
    assert sorted(field(schema_of("workloadclasses"), path)["enum"]) == sorted(words)


def test_a_policy_is_rolled_out_in_the_words_of_a_class() -> None:
    (ours, theirs) = (field(schema_of(p), "spec.rollout") for p in ("workloadpolicies", "workloadclasses"))

    assert ours["properties"] == theirs["properties"]
    assert ours["x-kubernetes-validations"] == theirs["x-kubernetes-validations"]


@pytest.mark.parametrize("plural", SHORT_NAMES)
def test_kubectl_shows_them_well(plural: str) -> None:
    spec = CRDS[f"{plural}.stowplan.dev"]["spec"]
    (version,) = spec["versions"]

    assert (spec["names"]["shortNames"], spec["names"]["categories"]) == ([SHORT_NAMES[plural]], ["stowplan"])
    assert spec["scope"] == ("Cluster" if plural == "workloadclasses" else "Namespaced")
    assert version["subresources"] == {"status": {}}
    assert version["additionalPrinterColumns"][-1]["jsonPath"] == ".metadata.creationTimestamp"


@pytest.mark.parametrize("plural", SHORT_NAMES)
def test_every_rule_has_a_message(plural: str) -> None:
    def rules(schema: Manifest) -> list[Manifest]:
        below = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return [*schema.get("x-kubernetes-validations", []), *(rule for part in below for rule in rules(part))]

    found = rules(schema_of(plural))

    assert found
    assert all(rule["message"] for rule in found)


def test_every_field_of_a_class_is_described() -> None:
    def undescribed(schema: Manifest, path: str) -> list[str]:
        own = [path] if "description" not in schema else []
        below = schema.get("properties", {})
        return own + [found for name, part in below.items() for found in undescribed(part, f"{path}.{name}")]

    assert undescribed(schema_of("workloadclasses")["properties"]["spec"], "spec") == []
