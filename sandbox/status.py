"""The records that a sandbox leaves of its processes and its keeper, for whoever looks from another process."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self, get_args

from sandbox.processes import Process, ProcessIdentity, identity_of, resident_bytes

_FILE = "processes.json"
_KEEPER_FILE = "keeper.json"

Phase = Literal["starting", "nodes", "installing", "ready", "failed"]


@dataclass(frozen=True)
class ComponentStatus:
    """One process of a sandbox."""

    name: str
    identity: ProcessIdentity
    port: int | None
    log: str

    @classmethod
    def of(cls, process: Process, port: int | None) -> Self:
        """The record of a running process."""
        return cls(process.name, process.identity, port, str(process.log))

    @property
    def running(self) -> bool:
        """Whether this very process still runs."""
        return self.identity.is_alive()

    @property
    def memory_bytes(self) -> int:
        """Resident memory now, 0 when it does not run."""
        return resident_bytes(self.identity.pid) if self.running else 0


def write_status(state_dir: Path, components: Sequence[ComponentStatus]) -> None:
    """Write the record in one step; nothing happens when the state directory is gone."""
    if state_dir.is_dir():
        replace_file(state_dir / _FILE, json.dumps([asdict(component) for component in components], indent=2))


def read_status(state_dir: Path) -> list[ComponentStatus]:
    """The processes of a sandbox in the order of their start; empty without a record."""
    try:
        records = json.loads((state_dir / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [
        ComponentStatus(record["name"], ProcessIdentity(**record["identity"]), record["port"], record["log"])
        for record in records
    ]


@dataclass(frozen=True)
class KeeperStatus:
    """What the keeper of a sandbox says about itself."""

    identity: ProcessIdentity
    phase: Phase
    message: str
    """Why it failed, else empty."""

    @property
    def running(self) -> bool:
        """Whether the keeper that wrote this still runs."""
        return self.identity.is_alive()


def write_keeper(state_dir: Path, phase: Phase, message: str = "") -> None:
    """Write the record of the calling process as the sandbox's keeper."""
    status = KeeperStatus(identity_of(os.getpid()) or ProcessIdentity(os.getpid(), 0), phase, message)
    replace_file(state_dir / _KEEPER_FILE, json.dumps(asdict(status), indent=2))


def read_keeper(state_dir: Path) -> KeeperStatus | None:
    """The keeper's record, or None where there was never one."""
    try:
        record = json.loads((state_dir / _KEEPER_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    phase: Phase = record["phase"] if record["phase"] in get_args(Phase) else "failed"
    return KeeperStatus(ProcessIdentity(**record["identity"]), phase, record["message"])


def replace_file(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new content, never half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
