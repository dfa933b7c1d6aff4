"""The manifests as files: every document of a kustomization, read without kubectl."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2] / "manifests"

Manifest = dict[str, Any]


def documents(kustomization: str) -> list[Manifest]:
    """The objects of the resources that `manifests/KUSTOMIZATION/kustomization.yaml` lists."""
    directory = ROOT / kustomization
    listed = yaml.safe_load((directory / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    texts = [(directory / name).read_text(encoding="utf-8") for name in listed]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def of_kind(kind: str, kustomization: str = "base") -> dict[str, Manifest]:
    """The objects of a kind, by name."""
    return {m["metadata"]["name"]: m for m in documents(kustomization) if m["kind"] == kind}
