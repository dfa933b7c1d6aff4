"""Runs docker, kind and kubectl, with errors that say what was run, what it said, and what to do."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox.errors import SandboxError
from sandbox.kubectl import run_kubectl

_TAIL: Final = 2_000
REMEDIES: Final[Mapping[str, str]] = {
    "docker": "install docker and start its daemon",
    "kind": "install kind (go install sigs.k8s.io/kind@v0.33.0) and put it on PATH",
    "kubectl": "install kubectl and put it on PATH",
}


def run(argv: Sequence[str | Path], *, environment: Mapping[str, str], text: str | None = None) -> str:
    """Run a program to its end and return what it printed.

    Args:
        argv: program and arguments.
        environment: the whole environment.
        text: for its standard input.

    Raises:
        SandboxError: it is not there, or ended with an error; the message has the end of its output.
    """
    program = shutil.which(str(argv[0]), path=environment.get("PATH"))
    if program is None:
        raise SandboxError(f"{argv[0]} is not on PATH; {REMEDIES.get(str(argv[0]), 'give its absolute path')}")
    done = run_kubectl([program, *argv[1:]], stdin=text, environment=environment)
    if done.returncode != 0:
        said = (done.stderr or done.stdout)[-_TAIL:]
        raise SandboxError(f"{' '.join(map(str, argv))} ended with exit code {done.returncode}:\n{said}")
    return done.stdout


def check_docker(environment: Mapping[str, str]) -> str:
    """The version of the docker daemon.

    Raises:
        SandboxError: there is no docker, or its daemon does not answer.
    """
    return run(["docker", "version", "--format", "{{.Server.Version}}"], environment=environment).strip()
