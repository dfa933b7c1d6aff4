"""What a control plane refuses before it has started, and what its components are told."""

import sys
from pathlib import Path

import pytest
import yaml

from sandbox import components
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.errors import SandboxError
from sandbox.pki import Pki

BINARY = Path("/bin/component")


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki", "test")


def test_without_start_there_are_no_certificates(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="is not started"):
        ControlPlane(SandboxSettings(state_dir=tmp_path)).kubeconfig_for("alice")


def test_stopping_what_never_started_is_harmless(tmp_path: Path) -> None:
    ControlPlane(SandboxSettings(state_dir=tmp_path / "never")).stop()

    assert not (tmp_path / "never").exists()


def test_an_unknown_process_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'kubelet' does not run in this sandbox; running: none"):
        ControlPlane(SandboxSettings(state_dir=tmp_path)).stop_component("kubelet")


@pytest.mark.parametrize("name", ["", "../etc", "Upper", "a b"])
def test_a_process_name_has_to_be_a_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="use lower-case letters"):
        ControlPlane(SandboxSettings(state_dir=tmp_path)).start_process(name, [sys.executable])


def test_a_port_belongs_to_its_name_until_the_end(tmp_path: Path) -> None:
    control_plane = ControlPlane(SandboxSettings(state_dir=tmp_path))

    first = control_plane.port("webhook")

    assert control_plane.port("webhook") == first
    assert control_plane.port("extender") != first
    assert control_plane.url == f"https://127.0.0.1:{control_plane.port('kube-apiserver')}"
    control_plane.stop()


def test_every_component_listens_on_loopback_only(pki: Pki, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    etcd = [str(argument) for argument in components.etcd(BINARY, pki, tmp_path, 1, 2)]
    others = [
        components.kube_apiserver(BINARY, pki, 3, 1, []),
        components.kube_controller_manager(BINARY, pki, config, 4),
        components.kube_scheduler(BINARY, pki, config, config, 5),
    ]

    assert all("//127.0.0.1:" in argument for argument in etcd if argument.startswith("--listen-"))
    assert all("--bind-address=127.0.0.1" in argv for argv in others)


def test_the_api_server_admits_nobody_unknown_and_takes_extra_flags_last(pki: Pki) -> None:
    argv = components.kube_apiserver(BINARY, pki, 3, 1, ["--feature-gates=X=true"])

    assert {"--anonymous-auth=false", "--authorization-mode=Node,RBAC"} <= set(argv)
    assert argv[-1] == "--feature-gates=X=true"


def test_the_scheduler_is_stock_but_for_its_client(tmp_path: Path) -> None:
    document = yaml.safe_load(components.scheduler_configuration(tmp_path / "kubeconfig"))

    # No profiles, no extenders, no percentageOfNodesToScore: nothing that decides where a pod goes.
    assert document.keys() == {"apiVersion", "kind", "leaderElection", "clientConnection", "enableProfiling"}


def test_kwok_without_stage_files_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"node-initialize\.yaml is missing; delete"):
        components.kwok(BINARY, tmp_path / "stages", tmp_path / "kubeconfig", 6)


def test_every_file_of_a_component_is_there(pki: Pki, tmp_path: Path) -> None:
    argv = [
        *components.etcd(BINARY, pki, tmp_path, 1, 2),
        *components.kube_apiserver(BINARY, pki, 3, 1, []),
        *components.kube_controller_manager(BINARY, pki, tmp_path, 4),
        *components.kube_scheduler(BINARY, pki, tmp_path, tmp_path, 5),
    ]
    files = [value for value in (str(argument).partition("=")[2] for argument in argv) if "/pki/" in value]

    assert len(files) > 15  # certificates, keys and authorities of four servers
    assert [file for file in files if not Path(file).is_file()] == []
