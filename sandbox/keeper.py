"""The detached process that owns a sandbox started by hand: ``python -m sandbox.keeper NAME [--bare] [--nodes N]``.

The children of `ControlPlane` end with the process that made them, so that nothing is orphaned; a sandbox that
outlives its ``up`` command therefore needs a process that stays. `sandbox.lifecycle` starts and signals it; if
it is killed, the kernel ends the children.
"""

import argparse
import signal
import sys
from types import FrameType

from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.errors import SandboxError
from sandbox.locks import try_lock
from sandbox.nodes import create_nodes, mixed_nodes, wait_ready
from sandbox.paths import sandbox_dir
from sandbox.status import Phase, write_keeper

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(name: str, *, nodes: int, bare: bool) -> None:
    """Start the sandbox, keep it until SIGTERM or SIGINT, stop it. The record of the keeper says how far it is.

    Raises:
        SandboxError: another keeper has this sandbox, or it could not be started; the logs stay for reading.
    """
    state_dir = sandbox_dir(name)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in _SIGNALS:
        signal.signal(number, _end)
    with (state_dir / "keeper.lock").open("w", encoding="ascii") as lock:
        if not try_lock(lock):
            raise SandboxError(
                f"sandbox {name!r} has a keeper already; stop it with: stowplan sandbox down --name {name}"
            )

        def say(phase: Phase, message: str = "") -> None:
            write_keeper(state_dir, phase, message)

        say("starting")
        try:
            with ControlPlane(SandboxSettings(state_dir=state_dir, name=name)) as control_plane:
                if nodes:
                    say("nodes")
                    wait_ready(control_plane, create_nodes(control_plane, mixed_nodes(nodes)))
                if not bare:
                    from sandbox.install import install_stowplan  # noqa: PLC0415 - a bare one needs no services

                    say("installing")
                    install_stowplan(control_plane)
                say("ready")
                while True:
                    signal.pause()
        except Exception as error:
            say("failed", str(error))
            raise


def _end(_number: int, _frame: FrameType | None) -> None:
    """Leave by SystemExit, so that the control plane is stopped; from now on more signals change nothing."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def main() -> None:
    """Entry point of ``python -m sandbox.keeper``."""
    parser = argparse.ArgumentParser(prog="sandbox.keeper", description="Own a sandbox until it is stopped.")
    parser.add_argument("name")
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--bare", action="store_true")
    arguments = parser.parse_args()
    try:
        run(arguments.name, nodes=arguments.nodes, bare=arguments.bare)
    except SandboxError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
