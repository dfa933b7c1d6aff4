"""The build happens once per version, is published complete or not at all, and says what went wrong."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.build import (
    MODULE,
    PACKAGES,
    Binaries,
    ensure_binaries,
    kubernetes_version,
    link_flags,
)
from sandbox.errors import BuildError
from sandbox.go_module import source_hash

# Plays go: counts its installs, makes an empty binary per package, knows a module folder with one Stage file.
FAKE_GO = """#!/bin/sh
case "$1 $2" in
"version "*) echo "go version go1.26.8 linux/amd64" ;;
"list -deps") echo one two three ;;
"list -m") echo "{home}/kwok" ;;
"install -v")
    echo "$@" >> "{home}/installs"
    env >> "{home}/environment"
    sleep 0.2
    {failure}
    echo one >&2
    for package in {packages}; do touch "$GOBIN/$package"; done ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with the fake go on PATH and a cache of its own."""
    write_go(tmp_path)
    stage = tmp_path / "kwok" / "kustomize" / "stage" / "pod" / "fast" / "pod-ready.yaml"
    stage.parent.mkdir(parents=True)
    stage.write_text("kind: Stage\n")
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GOFLAGS": "-mod=mod",
    }


def write_go(home: Path, failure: str = "true") -> None:
    packages = " ".join("server" if name == "etcd" else name for name in PACKAGES)
    program = home / "bin" / "go"
    program.parent.mkdir(exist_ok=True)
    program.write_text(FAKE_GO.format(home=home, packages=packages, failure=failure))
    program.chmod(0o755)


def installs(home: Path) -> int:
    log = home / "installs"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_all_binaries_are_built_and_found_by_name(tmp_path: Path, environment: dict[str, str]) -> None:
    binaries = ensure_binaries(environment)

    directory = tmp_path / "cache" / "stowplan" / "controlplane" / f"{source_hash(MODULE)}-go1.26.8"
    assert {name: binaries.path(name) for name in PACKAGES} == {name: directory / name for name in PACKAGES}
    assert all(path.is_file() for path in binaries.paths.values())
    assert (binaries.stages / "pod" / "fast" / "pod-ready.yaml").read_text() == "kind: Stage\n"
    assert json.loads((directory / "build.json").read_text())["kubernetes"] == "v1.36.3"


def test_settings_that_change_what_is_built_do_not_reach_go(tmp_path: Path, environment: dict[str, str]) -> None:
    ensure_binaries(environment)

    seen = (tmp_path / "environment").read_text().splitlines()
    assert {"GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0"} <= set(seen)


def test_a_build_is_not_repeated(tmp_path: Path, environment: dict[str, str]) -> None:
    assert ensure_binaries(environment) == ensure_binaries(environment)

    assert installs(tmp_path) == 1


def test_two_builds_at_once_do_the_work_once(tmp_path: Path, environment: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ensure_binaries, [environment, environment])

    assert first == second
    assert installs(tmp_path) == 1


def test_a_missing_binary_is_built_again(tmp_path: Path, environment: dict[str, str]) -> None:
    ensure_binaries(environment).path("kwok").unlink()

    assert ensure_binaries(environment).path("kwok").is_file()
    assert installs(tmp_path) == 2


def test_a_failed_build_shows_the_compiler_and_leaves_no_binaries(tmp_path: Path, environment: dict[str, str]) -> None:
    write_go(tmp_path, failure="echo 'syntax error' >&2; exit 3")

    with pytest.raises(BuildError, match=r"(?s)exit code 3.*syntax error"):
        ensure_binaries(environment)

    cache = tmp_path / "cache" / "stowplan" / "controlplane"
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_without_go_an_earlier_build_serves(tmp_path: Path, environment: dict[str, str]) -> None:
    built = ensure_binaries(environment)
    shutil.rmtree(tmp_path / "bin")

    assert ensure_binaries({**environment, "PATH": str(tmp_path)}) == built


def test_an_unknown_binary_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match="'kubelet' is unknown; there are etcd"):
        Binaries({"etcd": Path("etcd")}, Path("stages")).path("kubelet")


def test_the_hash_depends_on_both_files_and_on_which_is_which(tmp_path: Path) -> None:
    def hash_of(go_mod: str, go_sum: str) -> str:
        (tmp_path / "go.mod").write_text(go_mod)
        (tmp_path / "go.sum").write_text(go_sum)
        return source_hash(tmp_path)

    contents = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("a", "c")]
    assert len({hash_of(*content) for content in contents}) == len(contents)
    assert hash_of("a", "b") == hash_of("a", "b")


def test_the_module_names_every_binary_and_one_version() -> None:
    go_mod = (MODULE / "go.mod").read_text()

    assert kubernetes_version(go_mod) == "v1.36.3"
    assert all(f"\t{package}\n" in go_mod for package in PACKAGES.values())
    # v1.36.3 of k8s.io/kubernetes goes with v0.36.3 of every module it is split into.
    assert set(re.findall(r"k8s\.io/[a-z-]+ => k8s\.io/[a-z-]+ (v\S+)", go_mod)) == {"v0.36.3"}


def test_a_module_without_kubernetes_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"requires no k8s\.io/kubernetes"):
        kubernetes_version("module m\n\nrequire k8s.io/kubernetes-fork v1.2.3\n")


def test_the_version_is_stamped_in_all_its_forms() -> None:
    flags = link_flags("v1.36.3")

    prefix = "-X k8s.io/component-base/version."
    for stamp in ("gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36", "gitTreeState=clean"):
        assert prefix + stamp in flags
