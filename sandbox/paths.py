"""Where sandboxes keep things: binaries in the user's cache, state in the user's state directory."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def cache_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_CACHE_HOME/stowplan``, by default ``~/.cache/stowplan``: safe to delete at any time."""
    return _base(environment, "XDG_CACHE_HOME", ".cache") / "stowplan"


def state_root(environment: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_STATE_HOME/stowplan/sandboxes``, by default below ``~/.local/state``: one directory per sandbox."""
    return _base(environment, "XDG_STATE_HOME", ".local/state") / "stowplan" / "sandboxes"


def sandbox_dir(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The state directory of the named sandbox.

    Raises:
        ValueError: the name is not 1 to 40 lower-case letters, digits and inner hyphens.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"sandbox name {name!r}: use 1 to 40 lower-case letters, digits and hyphens inside, such as 'default'"
        )
    return state_root(environment) / name


def _base(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """An XDG base directory; as its specification asks, a relative value is ignored."""
    value = Path(environment.get(variable, ""))
    return value if value.is_absolute() else Path.home() / default
