"""`python -m sandbox.kind up|down`: a kind cluster with stowplan in it, by hand. Settings: `sandbox.kind.settings`."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Final

from sandbox.activity import activity
from sandbox.errors import SandboxError
from sandbox.kind.cluster import KindCluster
from sandbox.kind.commands import run
from sandbox.kind.settings import kind_settings

_USAGE: Final = "usage: python -m sandbox.kind up|down\n"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Exit code 0, 1 for a failure with its message, 2 for a command that is none."""
    if list(arguments) not in (["up"], ["down"]):
        sys.stderr.write(_USAGE)
        return 2
    try:
        settings = kind_settings(environment)
        if arguments[0] == "down":
            run(["kind", "delete", "cluster", "--name", settings.name], environment=environment)
            return 0
        with activity(f"kind cluster {settings.name}") as progress:
            cluster = KindCluster(replace(settings, keep=True), progress)
            cluster.start()
    except SandboxError as error:
        sys.stderr.write(f"sandbox.kind: {error}\n")
        return 1
    sys.stdout.write(f"export KUBECONFIG={settings.kubeconfig}\n")
    sys.stderr.write("KWOK plays fake nodes until this is interrupted; the cluster stays (down deletes it)\n")
    stop = Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
