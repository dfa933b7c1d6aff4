"""A control plane of one's own, for tests that change what the whole cluster shares (CRDs, roles, registrations)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.control_plane import ControlPlane, SandboxSettings


@contextmanager
def own_control_plane(
    tmp_path_factory: pytest.TempPathFactory, name: str, *, runs_pods: bool
) -> Iterator[ControlPlane]:
    """Started, and stopped after the block; with `runs_pods` it has the default scheduler and KWOK."""
    settings = SandboxSettings(tmp_path_factory.mktemp(name), name=name, scheduler=runs_pods, kwok=runs_pods)
    with ControlPlane(settings) as running:
        yield running
