"""Binaries of envtest are used when all are there and the API server is not too old."""

from pathlib import Path

import pytest

from sandbox.kubebuilder import NAMES, assets, minor_version


def envtest(directory: Path, version: str) -> dict[str, str]:
    for name in NAMES:
        program = directory / name
        program.write_text(f"#!/bin/sh\necho 'Kubernetes {version}'\n")
        program.chmod(0o755)
    return {"KUBEBUILDER_ASSETS": str(directory)}


@pytest.mark.parametrize("version", ["v1.36.0", "v1.37.1", "v2.0.0"])
def test_binaries_of_the_same_or_a_newer_minor_are_used(tmp_path: Path, version: str) -> None:
    found = assets(envtest(tmp_path, version), "v1.36.3")

    assert found == {name: tmp_path / name for name in NAMES}


def test_an_older_api_server_is_passed_over(tmp_path: Path) -> None:
    assert assets(envtest(tmp_path, "v1.35.9"), "v1.36.3") == {}


def test_an_incomplete_folder_is_passed_over(tmp_path: Path) -> None:
    environment = envtest(tmp_path, "v1.36.3")
    (tmp_path / "etcd").unlink()

    assert assets(environment, "v1.36.3") == {}


def test_without_the_variable_there_is_nothing(tmp_path: Path) -> None:
    envtest(tmp_path, "v1.36.3")

    assert assets({}, "v1.36.3") == {}
    assert minor_version("no version") is None
