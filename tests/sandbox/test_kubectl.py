"""kubectl is run again only where its request never left."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.kubectl import run_kubectl

SCRIPT = """#!/bin/sh
cat >> {folder}/sent
echo x >> {folder}/runs
[ "$(wc -l < {folder}/runs)" -ge {good} ] && echo "$1 $WHO" && exit 0
echo 'Unable to connect to the server: {words}' >&2
exit 1
"""


def kubectl(folder: Path, good: int, words: str) -> Path:
    """A program that fails with these words until it is run for the time `good`."""
    program = folder / "kubectl"
    program.write_text(SCRIPT.format(folder=folder, good=good, words=words), encoding="ascii")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    "words", ["net/http: TLS handshake timeout", "error validating data: failed to download openapi: timeout"]
)
def test_a_request_that_never_left_is_made_again(tmp_path: Path, words: str) -> None:
    slept: list[float] = []
    argv: list[str | Path] = [kubectl(tmp_path, 3, words), "get"]

    result = run_kubectl(argv, stdin="pod\n", environment={"WHO": "me", "PATH": "/usr/bin:/bin"}, sleep=slept.append)

    assert (result.returncode, result.stdout) == (0, "get me\n")
    assert (tmp_path / "sent").read_text(encoding="ascii") == "pod\n" * 3  # each time with its input
    assert len(slept) == 2


def test_another_failure_is_final(tmp_path: Path) -> None:
    result = run_kubectl([kubectl(tmp_path, 2, "connection refused")], stdin="")
    assert result.returncode == 1
    assert (tmp_path / "runs").read_text(encoding="ascii") == "x\n"


def test_after_some_tries_it_is_given_up(tmp_path: Path) -> None:
    argv = [kubectl(tmp_path, 100, "TLS handshake timeout")]
    result = run_kubectl(argv, stdin="", sleep=lambda _: None)
    assert "TLS handshake timeout" in result.stderr
    assert (tmp_path / "runs").read_text(encoding="ascii") == "x\n" * 5
