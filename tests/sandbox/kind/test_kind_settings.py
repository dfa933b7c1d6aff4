"""Settings of the kind cluster come from the environment, and what makes no sense is said."""

from pathlib import Path

import pytest
import yaml

from sandbox.errors import SandboxError
from sandbox.kind.__main__ import main
from sandbox.kind.commands import run
from sandbox.kind.settings import IMAGE, KindSettings, kind_settings
from sandbox.manifests import manifests_dir


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = kind_settings({})

    assert settings == KindSettings(kubeconfig=settings.kubeconfig)
    assert settings.kubeconfig.is_absolute()


def test_every_setting_has_a_variable(tmp_path: Path) -> None:
    config = tmp_path / "kind.yaml"
    config.touch()
    environment = {
        "KIND_CLUSTER": "lab",
        "KIND_NODE_IMAGE": "kindest/node:v1.36.3-own",
        "KIND_BASE_IMAGE": "own/python:3.11",
        "KIND_BUILD_ARGS": "--network=host --build-arg 'A=b c'",
        "KIND_CONFIG": str(config),
        "KIND_KEEP": "1",
    }

    settings = kind_settings(environment)

    assert (settings.name, settings.node_image, settings.base_image) == (
        "lab",
        "kindest/node:v1.36.3-own",
        "own/python:3.11",
    )
    assert settings.build_args == ("--network=host", "--build-arg", "A=b c")
    assert (settings.config, settings.keep) == (config, True)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"KIND_CONFIG": "nowhere.yaml"}, "nowhere.yaml: there is no such file"),
        ({"KIND_KEEP": "yes"}, "KIND_KEEP is 'yes'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        kind_settings(environment)


def test_a_program_that_is_not_there_has_a_remedy() -> None:
    with pytest.raises(SandboxError, match="docker is not on PATH; install docker"):
        run(["docker", "version"], environment={"PATH": ""})


def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(SandboxError, match="exit code 3:\nbroken"):
        run(["sh", "-c", "echo broken >&2; exit 3"], environment={"PATH": "/usr/bin:/bin"})


def test_the_image_is_the_one_that_the_overlay_runs() -> None:
    overlay = yaml.safe_load((manifests_dir() / "overlays" / "kind" / "kustomization.yaml").read_text())

    (image,) = overlay["images"]
    assert f"{image['newName']}:{image['newTag']}" == IMAGE


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sideways"], {}) == 2
    assert "up|down" in capsys.readouterr().err
