"""A control plane for the session, a namespace per test. Builds the binaries before the first test's time starts."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.capture import CaptureManager

from sandbox.build import ensure_binaries
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.errors import BuildError
from sandbox.metrics_server import ensure_metrics_server

HERE = Path(__file__).parent
HANGS_SECONDS = 900
"""A test that takes longer hangs. Each wait within one has a deadline of its own, with a message."""

Kubectl = Callable[..., Any]
"""``kubectl("get", "pods", "-n", namespace)`` returns parsed JSON; ``stdin=`` takes a manifest as a value."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a control plane, and may take as long as a busy machine needs to start one and to wait for it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(HANGS_SECONDS))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Build now, with visible progress: a cold build takes longer than a test may."""
    if session.config.option.collectonly or not any(HERE in item.path.parents for item in session.items):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    if isinstance(capture, CaptureManager):
        with capture.global_and_fixture_disabled():
            try:
                ensure_binaries()
                if any(item.path.name == "test_metrics_server.py" for item in session.items):
                    ensure_metrics_server()
            except BuildError as error:
                pytest.exit(
                    f"what the tests run against cannot be built: {error}", returncode=pytest.ExitCode.USAGE_ERROR
                )


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A bare control plane with KWOK and the default scheduler, shared by all tests of the session."""
    state_dir = tmp_path_factory.mktemp("control-plane")
    with ControlPlane(SandboxSettings(state_dir=state_dir, name="integration")) as running:
        yield running


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """Calls kubectl as administrator and parses the JSON it prints."""

    def call(*arguments: str, stdin: object = None) -> Any:
        return control_plane.kubectl_json(*arguments, stdin=None if stdin is None else json.dumps(stdin))

    return call


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace in which pods can be created; deleted after the test."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    control_plane.kubectl("create", "namespace", name)
    control_plane.wait_for_namespace(name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")
