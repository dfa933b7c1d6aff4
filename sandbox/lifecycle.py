"""Sandboxes started by hand: start a keeper and wait for it, stop it, remove what is left."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from sandbox.activity import Activity, activity
from sandbox.build import ensure_binaries
from sandbox.errors import ComponentFailedError, SandboxError
from sandbox.paths import sandbox_dir
from sandbox.processes import ProcessIdentity, identity_of
from sandbox.status import read_keeper, read_status

_POLL_SECONDS = 0.1
_STOP_SECONDS = 20.0
"""The keeper gives each of three batches of children 3 s; after this it is killed, and they with it."""
_PHASES = {
    "starting": "starting the control plane",
    "nodes": "creating nodes",
    "installing": "installing stowplan",
}


def kubeconfig_of(name: str) -> Path:
    """The administrator's kubeconfig of a sandbox that is up.

    Raises:
        SandboxError: it is not up.
        ValueError: this is no name of a sandbox.
    """
    keeper = read_keeper(sandbox_dir(name))
    if keeper is None or not keeper.running or keeper.phase != "ready":
        raise SandboxError(f"sandbox {name!r} is not up; start it with: stowplan sandbox up --name {name}")
    return sandbox_dir(name) / "admin.kubeconfig"


def up(name: str, *, nodes: int, bare: bool) -> Path:
    """Start a sandbox that stays after this process ends, and wait until it is ready; returns its kubeconfig.

    One that is up already is left as it is. When waiting is interrupted or fails, nothing is left running.

    Raises:
        SandboxError: it could not be built or started; the message says why.
        ValueError: this is no name of a sandbox.
    """
    state_dir = sandbox_dir(name)
    keeper = read_keeper(state_dir)
    if keeper is not None and keeper.running:
        with activity(f"Waiting for sandbox {name!r}") as progress:
            _wait_until_ready(state_dir, keeper.identity, progress)
    else:
        ensure_binaries()  # here, where somebody watches the progress
        _start(name, state_dir, nodes=nodes, bare=bare)
    return kubeconfig_of(name)


def down(name: str) -> bool:
    """Stop a sandbox and remove its state; returns whether there was one.

    Raises:
        ValueError: this is no name of a sandbox.
    """
    state_dir = sandbox_dir(name)
    if not state_dir.exists():
        return False
    with activity(f"Stopping sandbox {name!r}") as progress:
        keeper = read_keeper(state_dir)
        processes = [component.identity for component in read_status(state_dir)]
        if keeper is not None:
            _stop(keeper.identity, progress)
        for identity in processes:  # none is left unless the kernel could not do its part
            identity.signal(signal.SIGKILL)
        shutil.rmtree(state_dir)
    return True


def _start(name: str, state_dir: Path, *, nodes: int, bare: bool) -> None:
    """Start a keeper and wait for it. If that is interrupted or fails, it is stopped; Ctrl-C also removes its state."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    child = _spawn_keeper(name, state_dir, nodes=nodes, bare=bare)
    identity = identity_of(child.pid) or ProcessIdentity(child.pid, 0)
    with activity(f"Starting sandbox {name!r}") as progress:
        try:
            _wait_until_ready(state_dir, identity, progress)
        except BaseException as error:
            _stop(identity, progress)  # by what we know: it may not have written its record yet
            if isinstance(error, KeyboardInterrupt):
                down(name)
            raise
        finally:
            child.returncode = child.poll() or 0  # it stays behind on purpose


def _spawn_keeper(name: str, state_dir: Path, *, nodes: int, bare: bool) -> subprocess.Popen[bytes]:
    """A keeper in a session of its own: it outlives the terminal."""
    command = [sys.executable, "-m", "sandbox.keeper", name, "--nodes", str(nodes)]
    with (state_dir / "keeper.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--bare"] if bare else command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(state_dir: Path, identity: ProcessIdentity, progress: Activity) -> None:
    """Wait for the keeper's word.

    Raises:
        ComponentFailedError: the keeper ended; the message carries its reason or its log.
    """
    while True:
        alive = identity.is_alive()  # before the record is read: what it wrote last is then seen
        keeper = read_keeper(state_dir)
        if keeper is not None and keeper.identity != identity:
            keeper = None  # of an earlier keeper
        if keeper is not None and keeper.phase == "ready":
            return
        if not alive:
            reason = keeper.message if keeper is not None else ""
            log = (state_dir / "keeper.log").read_text(encoding="utf-8", errors="replace")
            raise ComponentFailedError(f"the sandbox did not start: {reason or log.strip()}")
        progress.update("starting the keeper" if keeper is None else _PHASES.get(keeper.phase, keeper.phase))
        time.sleep(_POLL_SECONDS)


def _stop(identity: ProcessIdentity, progress: Activity) -> None:
    """End a process by SIGTERM, after a while by SIGKILL."""
    identity.signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while identity.is_alive():
        progress.update(f"waiting for process {identity.pid}")
        if time.monotonic() > deadline:
            identity.signal(signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
