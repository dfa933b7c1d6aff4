"""A strict schema check of manifests, as kubeconform does it, with the schemas that the API server itself publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from sandbox.control_plane import ControlPlane

Manifest = dict[str, Any]


def schema_errors(plane: ControlPlane, objects: list[Manifest]) -> list[str]:
    """One line per violation: kind, name, path and what is wrong; unknown fields are violations."""
    documents = {m["apiVersion"]: _schemas(plane, m["apiVersion"]) for m in objects}
    return [error for manifest in objects for error in _errors(manifest, documents[manifest["apiVersion"]])]


def _schemas(plane: ControlPlane, api_version: str) -> dict[str, Any]:
    prefix = "apis" if "/" in api_version else "api"
    document: dict[str, Any] = json.loads(plane.kubectl("get", "--raw", f"/openapi/v3/{prefix}/{api_version}"))
    schemas: dict[str, Any] = document["components"]["schemas"]
    for schema in schemas.values():
        _close(schema)
    return schemas


def _close(schema: Any) -> None:
    """Objects with named fields admit no others, where the schema does not say otherwise."""
    if isinstance(schema, list):
        for item in schema:
            _close(item)
    if not isinstance(schema, dict):
        return
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    for value in schema.values():
        _close(value)


def _errors(manifest: Manifest, schemas: dict[str, Any]) -> Iterator[str]:
    name = f"{manifest['kind']}/{manifest['metadata']['name']}"
    reference = _reference(manifest, schemas)
    if reference is None:
        yield f"{name}: no schema for {manifest['apiVersion']}, kind {manifest['kind']}"
        return
    validator = Draft202012Validator({"components": {"schemas": schemas}, "$ref": reference})
    for error in validator.iter_errors(manifest):
        yield f"{name}: {error.json_path}: {error.message[:200]}"


def _reference(manifest: Manifest, schemas: dict[str, Any]) -> str | None:
    group, _, version = manifest["apiVersion"].rpartition("/")
    wanted = {"group": group, "version": version, "kind": manifest["kind"]}
    for name, schema in schemas.items():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            return f"#/components/schemas/{name}"
    return None
