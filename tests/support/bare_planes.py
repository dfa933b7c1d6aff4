"""A control plane of one's own, for tests that change what the whole cluster shares (CRDs, roles, registrations)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.manifests import Manifest


@contextmanager
def own_control_plane(
    tmp_path_factory: pytest.TempPathFactory, name: str, *, runs_pods: bool
) -> Iterator[ControlPlane]:
    """Started, and stopped after the block; with `runs_pods` it has the default scheduler and KWOK."""
    settings = SandboxSettings(tmp_path_factory.mktemp(name), name=name, scheduler=runs_pods, kwok=runs_pods)
    with ControlPlane(settings) as running:
        yield running


def apply(plane: ControlPlane, objects: list[Manifest], *flags: str) -> str:
    """Server-side apply, refusing unknown fields; returns what kubectl says."""
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    return plane.kubectl("apply", "--server-side", "--validate=strict", *flags, "-f", "-", stdin=document)
